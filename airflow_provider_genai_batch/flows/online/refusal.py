"""What a refusal of an immediate call means for its row, and for all others.

Sources: error bodies that clients of both services got in 2026; Google's pages on rate limits, flex and Standard PayGo.
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
    """The request itself: trying again changes nothing."""
    MINUTE = "minute"
    """A quota that renews within minutes; the refusal says when."""
    BUSY = "busy"
    """No capacity, or a temporary error, for this call."""
    UNCLEAR = "unclear"
    """429 that does not say what ran out: a spend window, contention, a new project."""
    LOST = "lost"
    """No complete answer: the call may have been answered, and billed."""
    DAY = "day"
    """A daily quota: no more calls in this tier until it renews."""
    CAP = "cap"
    """A spending cap: no more calls until somebody raises it or a new month begins."""
    NO_TIER = "no tier"
    """The model does not have the tier."""
    FATAL = "fatal"
    """Credentials, permissions, or a missing model: every other row would get the same refusal."""


STOPPING = frozenset({Meaning.DAY, Meaning.CAP, Meaning.NO_TIER, Meaning.FATAL})
"""After these no more calls are sent."""


@dataclass(frozen=True)
class Refusal:
    """A refusal, interpreted.

    Attributes:
        meaning: what it is about.
        wait: seconds for which the service asks all calls to wait; None if it does not.
        minute_tokens: the limit of input tokens per minute that it names; None if it names none.
    """

    meaning: Meaning
    wait: float | None = None
    minute_tokens: int | None = None


def read_refusal(error: CallError, *, flex: bool) -> Refusal:
    """Interpret the error of a call.

    Args:
        error: the error.
        flex: whether the call asked for the flex tier.
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
