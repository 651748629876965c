"""The rungs of a deadline's ladder: each tier for the rest of a job, and when to move on to the next tier.

Flex costs as much as a batch job and may be full for hours: it is tried first, and never again once given up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch.client.online import OnlineCounts
from airflow_provider_genai_batch.flows.deadline import Deadline, FlexTrial
from airflow_provider_genai_batch.flows.online.patience import RowPatience
from airflow_provider_genai_batch.flows.online.refusal import Meaning
from airflow_provider_genai_batch.models.tier import Tier

FULL = frozenset({Meaning.BUSY, Meaning.UNCLEAR})
"""Refusals that are about a tier, not about a request."""
_PASSING = frozenset({408, 429, 499, 500, 502, 503, 504})
"""Statuses of a row that was given up, but that another tier may answer."""
_FOREVER = 10_000
"""Tries of a row that only the clock ends."""


class _Problem(Struct, gc=False):
    code: int | None = None


class _Line(Struct, gc=False):
    error: _Problem | None = None


_decoder = Decoder(_Line)


class Rung(Protocol):
    """One tier of a round of immediate calls."""

    @property
    def tier(self) -> Tier:
        """The tier."""
        ...

    @property
    def patience(self) -> RowPatience:
        """How often and how long one row is tried."""
        ...

    def keeps(self, line: bytes) -> bool:
        """Whether a line is final for its row; if not, another tier tries the row."""
        ...

    def over(self, counts: OnlineCounts, left: int) -> str:
        """Return why no more requests are sent in this tier, empty while they are.

        Args:
            counts: counts of its calls.
            left: requests that have no line yet.
        """
        ...


@dataclass(frozen=True)
class PlainRung:
    """A tier that is used to the end, and whose every line counts."""

    tier: Tier
    patience: RowPatience = field(default_factory=RowPatience)

    def keeps(self, line: bytes) -> bool:  # noqa: ARG002, D102 - see `Rung`
        return True

    def over(self, counts: OnlineCounts, left: int) -> str:  # noqa: ARG002, D102 - see `Rung`
        return ""


class FlexRung:
    """Flex, followed by the standard tier.

    Args:
        deadline: the task's deadline.
        clock: returns the seconds since the epoch by the service's clock.
    """

    tier = Tier.FLEX
    patience = RowPatience(seconds=600.0)

    def __init__(self, deadline: Deadline, clock: Callable[[], float]) -> None:
        self._clock, self._trial = clock, FlexTrial(deadline, standard=True)

    def keeps(self, line: bytes) -> bool:
        """Leave rows that met no capacity to the next tier."""
        return not _is_passing(line)

    def over(self, counts: OnlineCounts, left: int) -> str:
        """Give up on flex when it is full, or when there is just enough time left for the standard tier."""
        refused = sum(number for meaning, number in counts.refused.items() if meaning in FULL)
        return self._trial.verdict(self._clock(), left=left, answered=counts.answered, refused=refused)


class LastRung:
    """The last tier: rows are tried until the deadline.

    Args:
        tier: flex or standard.
        until: when to stop, in seconds since the epoch by the service's clock; infinity: the deadline has already
            passed, and the rows are late anyway.
        clock: returns the time by that clock.
        too_dear: returns, from the lines so far, why no more may be spent; empty: more may. None: there is no limit.
    """

    def __init__(
        self,
        tier: Tier,
        until: float,
        clock: Callable[[], float],
        too_dear: Callable[[bytes], str] | None = None,
    ) -> None:
        self.tier, self._until, self._clock, self._too_dear = tier, until, clock, too_dear
        self._spent = ""

    @property
    def counts(self) -> bool:
        """Whether its cost has a limit."""
        return self._too_dear is not None

    def count_paid(self, lines: Iterable[bytes]) -> None:
        """Count what attempts of the run have paid for in the standard tier, if that has a limit."""
        if self._too_dear is not None:
            for line in lines:
                self._spent = self._too_dear(line) or self._spent

    @property
    def patience(self) -> RowPatience:
        """The remaining time decides when a row is given up, unless none remains."""
        if math.isinf(self._until):
            return RowPatience()
        return RowPatience(tries=_FOREVER, seconds=math.inf)

    def keeps(self, line: bytes) -> bool:
        """Leave rows that met no capacity to the next attempt, and count the cost of the others."""
        self.count_paid([line])
        return math.isinf(self._until) or not _is_passing(line)

    def over(self, counts: OnlineCounts, left: int) -> str:  # noqa: ARG002 - see `Rung`
        """Stop at the deadline, or when the money is spent."""
        return self._spent or ("the deadline has come" if self._clock() >= self._until else "")


def _is_passing(line: bytes) -> bool:
    try:
        problem = _decoder.decode(line).error
    except (DecodeError, ValueError):  # before msgspec 0.21 its own is no ValueError
        return False
    return problem is not None and (problem.code is None or problem.code in _PASSING)
