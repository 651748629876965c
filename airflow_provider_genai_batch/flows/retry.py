"""Pauses between tries, and the time left for trying."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from airflow_provider_genai_batch.exceptions import CallError

FIRST = 1.0
LONGEST = 60.0
LONGEST_OF_HOURS = 300.0
"""Most seconds between two tries if trouble may last for hours: no capacity, a refused connection."""
_LONGEST_HINT = 3600.0
"""Longest hint to follow, in seconds: with a longer one, such as a date from a wrong clock, paid jobs could run into
their deadline unobserved."""


def backoff(failures: int, hint: float | None = None, *, longest: float = LONGEST) -> float:
    """Return seconds to wait after so many failures in a row (from 1): the service's hint, or a doubling pause.

    The doubling pause is jittered between half and full length; a hint only upwards, so that clients come back neither
    before the hinted time nor all at once.
    """
    if hint is not None:
        hint = min(hint, _LONGEST_HINT)
        return hint + random.uniform(0, min(1.0, hint * 0.1 + 0.1))  # noqa: S311 - spreading load, not a secret
    ceiling = min(longest, FIRST * 2 ** min(failures - 1, 10))
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreading load, not a secret


class RetryClock:
    """Paces the tries of one operation until its deadline.

    Args:
        clock: returns the seconds since the epoch.
        deadline: end of trying, by that clock; None: `budget` seconds after the first failure.
        budget: seconds.
        failures: number of failures so far.
        longest: most seconds between two tries, unless the service asks for more.

    Attributes:
        failures: number of failures so far.
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
        """The end of trying; starts the budget if it has not started."""
        return self.begin()

    def begin(self) -> float:
        """Start the budget if it has not started; return the deadline."""
        if self._deadline is None:
            self._deadline = self._clock() + self._budget
        return self._deadline

    def pause(self, error: CallError | None = None, *, longest: float | None = None) -> float | None:
        """Count a failure; return the seconds until the next try, or None if that would be after the deadline.

        Args:
            error: the error; None: the answer was not the expected one.
            longest: replaces the clock's own `longest`.
        """
        self.failures += 1
        hint = None if error is None else error.retry_after
        pause = backoff(self.failures, hint, longest=self._longest if longest is None else longest)
        return None if self._clock() + pause > self.deadline else pause
