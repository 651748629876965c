"""What a refusal of a call that answers at once means for the row, and for all others.

Sources: bodies that clients of both services have met in 2026; Google's pages on rate limits, flex and Standard PayGo.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    ApiError,
    BeingSetUp,
    CallError,
    QuotaExceeded,
    ServerError,
)

_ROW_STATUSES = frozenset({400, 413})
_DEADLINE = "deadline"


class Meaning(Enum):
    """What a refusal is about."""

    ROW = "row"
    """The request itself: asking again changes nothing."""
    MINUTE = "minute"
    """A quota that comes back within minutes, and says when."""
    BUSY = "busy"
    """No capacity, or a passing fault, for this call."""
    UNCLEAR = "unclear"
    """429 without a word on what ran out: a spend window, contention, a young project."""
    LOST = "lost"
    """No whole answer: the call may have been answered, and billed."""
    DAY = "day"
    """A quota of a day: nothing more in this tier until it begins anew."""
    CAP = "cap"
    """A spending cap: for good, until somebody raises it or a month begins."""
    NO_TIER = "no tier"
    """The model does not have the tier."""
    FATAL = "fatal"
    """Credentials, rights, or a model that is not there: every other row would get the same."""


STOPPING = frozenset({Meaning.DAY, Meaning.CAP, Meaning.NO_TIER, Meaning.FATAL})
"""After these nothing more is asked."""


@dataclass(frozen=True)
class Refusal:
    """A refusal that was understood.

    Attributes:
        meaning: what it is about.
        wait: seconds that the service asks everybody to wait, None if it does not.
        minute_tokens: the limit of input tokens per minute that it names, None if it does not.
    """

    meaning: Meaning
    wait: float | None = None
    minute_tokens: int | None = None


def read_refusal(error: CallError, *, flex: bool) -> Refusal:
    """Understand how a call failed.

    Args:
        error: how.
        flex: whether it asked for the flex tier.
    """
    if isinstance(error, QuotaExceeded):
        return _quota(error)
    if isinstance(error, (ServerError, BeingSetUp)):
        return Refusal(Meaning.BUSY, error.retry_after)
    if not isinstance(error, ApiError):
        return Refusal(Meaning.LOST)
    if error.code in _ROW_STATUSES and error.status in {"", "INVALID_ARGUMENT"} and not error.reason:
        if flex and _is_about_the_tier(error.message):
            return Refusal(Meaning.NO_TIER)
        return Refusal(Meaning.ROW)
    return Refusal(Meaning.FATAL)


def _quota(error: QuotaExceeded) -> Refusal:
    if "spending cap" in error.message.lower():
        return Refusal(Meaning.CAP)
    violations = [*_violations(error)]
    if any("perday" in str(one.get("quotaId")).lower() for one in violations):
        return Refusal(Meaning.DAY, error.retry_after)
    if error.retry_after is None:
        return Refusal(Meaning.UNCLEAR)
    limits = [_number(one.get("quotaValue")) for one in violations if _is_of_tokens(one)]
    found = [limit for limit in limits if limit]
    return Refusal(Meaning.MINUTE, error.retry_after, min(found) if found else None)


def _violations(error: ApiError) -> Iterator[Mapping[str, Any]]:
    for detail in error.details:
        if str(detail.get("@type")).endswith("QuotaFailure"):
            listed = detail.get("violations")
            yield from (one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict))


def _is_of_tokens(violation: Mapping[str, Any]) -> bool:
    quota = str(violation.get("quotaId")).lower()
    return "inputtokens" in quota and "perminute" in quota


def _number(value: Any) -> int | None:
    return int(value) if str(value).isdecimal() else None


def _is_about_the_tier(message: str) -> bool:
    said = message.lower()
    return _DEADLINE not in said and "flex" in said and ("tier" in said or "support" in said)
