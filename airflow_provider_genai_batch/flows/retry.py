"""Pauses between tries, and how many seconds of trying are left."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from airflow_provider_genai_batch.exceptions import CallError

FIRST = 1.0
LONGEST = 60.0
LONGEST_OF_HOURS = 300.0
"""Seconds between two tries at most where trouble may last for hours: no capacity, a connection that is refused."""
_LONGEST_HINT = 3600.0
"""A longer one, such as a date by a clock that is wrong, would let what is paid for run into its deadline unseen."""


def backoff(failures: int, hint: float | None = None, *, longest: float = LONGEST) -> float:
    """Return seconds to wait after so many failures in a row (from 1): what the service asked for, or doubling.

    The doubled wait is jittered between half and whole; a hint only upwards, so that clients do not come back
    before they were asked to, nor all at once.
    """
    if hint is not None:
        hint = min(hint, _LONGEST_HINT)
        return hint + random.uniform(0, min(1.0, hint * 0.1 + 0.1))  # noqa: S311 - spreading load, not a secret
    ceiling = min(longest, FIRST * 2 ** min(failures - 1, 10))
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreading load, not a secret


class RetryClock:
    """Paces the tries of one thing, for as long as it may take.

    Args:
        clock: tells the seconds since the epoch.
        deadline: until then it is tried, by that clock; None: `budget` counts from the first failure.
        budget: seconds.
        failures: how many there have been.
        longest: seconds between two tries, unless the service asks for more.

    Attributes:
        failures: how many there were.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        deadline: float | None = None,
        budget: float = math.inf,
        failures: int = 0,
        longest: float = LONGEST,
    ) -> None:
        self._clock, self._budget, self._longest = clock, budget, longest
        self._deadline, self.failures = deadline, failures

    @property
    def deadline(self) -> float:
        """Until when it is tried; the budget begins now, if it has not."""
        return self.begin()

    def begin(self) -> float:
        """Begin the budget, if it has not begun; return the deadline."""
        if self._deadline is None:
            self._deadline = self._clock() + self._budget
        return self._deadline

    def pause(self, error: CallError | None = None, *, longest: float | None = None) -> float | None:
        """Count a failure; return the seconds until the next try, None where that would be after the deadline.

        Args:
            error: of the failure; None: what came was not what is waited for.
            longest: in place of the clock's own.
        """
        self.failures += 1
        hint = None if error is None else error.retry_after
        pause = backoff(self.failures, hint, longest=self._longest if longest is None else longest)
        return None if self._clock() + pause > self.deadline else pause
