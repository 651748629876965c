"""The rungs of a deadline's ladder: each tier that the rest of a job is asked in, and when it is left for the next.

Flex costs what a batch job does and may be full for hours: it is tried first, and once given up not tried again.
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
"""Refusals that speak against a tier, not against a request."""
_PASSING = frozenset({408, 429, 499, 500, 502, 503, 504})
"""Of a row that was given up: another tier may answer it."""
_FOREVER = 10_000
"""Tries of a row that nothing but the clock ends."""


class _Problem(Struct, gc=False):
    code: int | None = None


class _Line(Struct, gc=False):
    error: _Problem | None = None


_decoder = Decoder(_Line)


class Rung(Protocol):
    """One tier of a round that is asked at once."""

    @property
    def tier(self) -> Tier:
        """In which is asked."""
        ...

    @property
    def patience(self) -> RowPatience:
        """How long one row is asked."""
        ...

    def keeps(self, line: bytes) -> bool:
        """Whether a line is the row's last word, and not only this tier's."""
        ...

    def over(self, counts: OnlineCounts, left: int) -> str:
        """Return why no more is asked in this tier, empty while it is.

        Args:
            counts: of its calls.
            left: requests that have no line yet.
        """
        ...


@dataclass(frozen=True)
class PlainRung:
    """A tier that is asked to the end, and whose every line counts."""

    tier: Tier
    patience: RowPatience = field(default_factory=RowPatience)

    def keeps(self, line: bytes) -> bool:  # noqa: ARG002, D102 - see `Rung`
        return True

    def over(self, counts: OnlineCounts, left: int) -> str:  # noqa: ARG002, D102 - see `Rung`
        return ""


class FlexRung:
    """Flex, where the standard tier comes after it.

    Args:
        deadline: of the task.
        clock: tells the seconds since the epoch by the service's clock.
    """

    tier = Tier.FLEX
    patience = RowPatience(seconds=600.0)

    def __init__(self, deadline: Deadline, clock: Callable[[], float]) -> None:
        self._clock, self._trial = clock, FlexTrial(deadline, standard=True)

    def keeps(self, line: bytes) -> bool:
        """Leave rows for which there was no room to the next tier."""
        return not _is_passing(line)

    def over(self, counts: OnlineCounts, left: int) -> str:
        """Give flex up when it is full, or when the standard tier just has the time for what is left."""
        refused = sum(number for meaning, number in counts.refused.items() if meaning in FULL)
        return self._trial.verdict(self._clock(), left=left, answered=counts.answered, refused=refused)


class LastRung:
    """The last tier: rows are asked until the deadline.

    Args:
        tier: flex or standard.
        until: when asking ends, in seconds since the epoch by the service's clock; infinite: it has passed already, and
            the rows are late in any case.
        clock: tells the time by that clock.
        too_dear: tells, from the lines that came, why no more may be spent; empty: it may. None: there is no limit.
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
        """Whether what it costs has a limit."""
        return self._too_dear is not None

    def count_paid(self, lines: Iterable[bytes]) -> None:
        """Count what attempts of the run have paid for in the standard tier, where that has a limit."""
        if self._too_dear is not None:
            for line in lines:
                self._spent = self._too_dear(line) or self._spent

    @property
    def patience(self) -> RowPatience:
        """What is left of the time decides when a row is given up, unless none is left."""
        if math.isinf(self._until):
            return RowPatience()
        return RowPatience(tries=_FOREVER, seconds=math.inf)

    def keeps(self, line: bytes) -> bool:
        """Leave rows for which there was no room to the next attempt, and count what the others cost."""
        self.count_paid([line])
        return math.isinf(self._until) or not _is_passing(line)

    def over(self, counts: OnlineCounts, left: int) -> str:  # noqa: ARG002 - see `Rung`
        """End at the deadline, and where the money ends."""
        return self._spent or ("the deadline has come" if self._clock() >= self._until else "")


def _is_passing(line: bytes) -> bool:
    try:
        problem = _decoder.decode(line).error
    except (DecodeError, ValueError):  # before msgspec 0.21 its own is no ValueError
        return False
    return problem is not None and (problem.code is None or problem.code in _PASSING)
