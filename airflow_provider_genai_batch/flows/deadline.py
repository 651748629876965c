"""When batch jobs are left so that what they have not answered can still be asked otherwise, in time.

All of it is arithmetic on what a look shows. Figures are priors, with their source; what is learned takes their place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from airflow_provider_genai_batch.models.jobs.job_status import JobStatus

CANCEL_SECONDS = 120.0
"""For which the end of a cancelled job is allowed for: users saw 3 to 60 seconds, now and then more."""
FLEX_SECONDS = 600.0
"""By which, and by the time for asking, jobs are left earlier where flex is tried first: it costs what a job does,
answers within minutes, and may be full."""
LEAST_RESERVE = 60.0
"""Kept back whatever there is to ask, also for Airflow to give the task a worker."""
RESERVE = 0.25
"""Share of the time for asking that is kept back beside that."""
_LANDING, _LANDED_A_SECOND = 20.0, 2000.0

_CALLS = 64
"""At a time: a client feels its way from eight up to twice as many."""
_LATENCY, _TOKENS_A_SECOND = 2.0, 200.0
"""Of one call: 3,400 tokens took 17.5 seconds (median of 2,486 calls, 2026)."""
_INPUT_TOKENS_A_SECOND = 0.9 * 1_000_000 / 60
"""Input of one model: the lowest quota of a minute that was seen on paid accounts of the Gemini API is a million."""
_SPEND_A_SECOND = 10 / 600
"""USD: Google lets accounts of the first tier spend 10 in ten minutes."""
_VERTEX_FLEX_A_SECOND = 50.0
TYPICAL_OUTPUT = 500.0
"""Tokens of an answer, where a request sets no lower limit."""
_CALLS_TO_JUDGE, _SECONDS_TO_JUDGE, _LEAST_SHARE = 20, 120.0, 0.5
"""Of flex: it sheds in spells, and the calls of a moment say nothing about the next minutes."""


@dataclass(frozen=True)
class Deadline:
    """A moment, and what is needed before it. Small: it goes along with a trigger.

    Attributes:
        at: when all rows are to be there, in seconds since the epoch by the service's clock.
        rate: requests that are answered in a second when they are asked at once, one with another.
        requests: of the jobs that are waited for, and of those of their round that are yet to come.
        landing: seconds for writing the rows.
        flex: the flex tier is tried first.
        cancel: seconds that the end of a cancelled job is given.
        late: it had passed when the attempt began: what is asked is late in any case, and asked at once.
    """

    at: float = math.inf
    rate: float = 1.0
    requests: int = 0
    landing: float = _LANDING
    flex: bool = False
    cancel: float = CANCEL_SECONDS
    late: bool = False

    def switch(self, left: int) -> float:
        """Return when jobs are to be left that have not answered so many requests.

        Args:
            left: requests. None left: their job is cancelled all the same, for that is what ends it.
        """
        flex = FLEX_SECONDS + left / self.rate if self.flex else 0.0
        return self.latest(left) - self.cancel - flex

    def latest(self, left: int) -> float:
        """Return when asking so many requests in the standard tier has to begin."""
        return self.at - self.landing - left / self.rate * (1 + RESERVE) - LEAST_RESERVE

    def left(self, seen: Iterable[JobStatus]) -> int:
        """Return how many requests have no answer yet, as the counters have it that came with the last looks."""
        return max(0, self.requests - sum(map(_answered, seen)))

    def over(self, now: float) -> bool:
        """Whether it has passed."""
        return now >= self.at

    def for_requests(self, requests: int) -> Deadline:
        """Return the same for a round of so many requests."""
        return replace(self, requests=requests)


def _answered(job: JobStatus) -> int:
    """Return the rows that a job has, as far as its counters say."""
    return min(job.finished, job.total) if job.total is not None else job.finished


def landing_seconds(requests: int) -> float:
    """Return the seconds that writing so many rows is given."""
    return _LANDING + requests / _LANDED_A_SECOND


def expected_rate(
    input_tokens: float, output_tokens: float, *, usd: float | None = None, vertex_flex_only: bool = False
) -> float:
    """Return how many requests a second are likely to be answered when they are asked at once.

    Args:
        input_tokens: of one request.
        output_tokens: of one answer, thoughts included.
        usd: that one costs; None: not known.
        vertex_flex_only: they are asked in the flex tier of Vertex AI and no other.
    """
    rates = [
        _CALLS / (_LATENCY + output_tokens / _TOKENS_A_SECOND),
        _INPUT_TOKENS_A_SECOND / max(1.0, input_tokens),
    ]
    if usd:
        rates.append(_SPEND_A_SECOND / usd)
    if vertex_flex_only:
        rates.append(_VERTEX_FLEX_A_SECOND)
    return min(rates)


class FlexTrial:
    """Tells when the flex tier is given up, for all that is left and for good: where it is full, it stays so for long.

    Args:
        deadline: of the task.
        standard: the standard tier may be asked after it.
    """

    def __init__(self, deadline: Deadline, *, standard: bool) -> None:
        self._deadline, self._standard = deadline, standard
        self._marked: tuple[float, int, int] | None = None

    def verdict(self, now: float, *, left: int, answered: int, refused: int) -> str:
        """Return why it is given up, empty if it is not.

        Args:
            now: seconds since the epoch by the service's clock.
            left: requests without an answer.
            answered: calls so far that were.
            refused: calls so far that were refused for want of room.
        """
        if not self._standard:
            return ""
        self._marked = since, good_before, full_before = self._marked or (now, 0, 0)
        good = answered - good_before
        calls = good + refused - full_before
        if calls >= _CALLS_TO_JUDGE and now - since >= _SECONDS_TO_JUDGE:
            self._marked = (now, answered, refused)
            if good < _LEAST_SHARE * calls:
                return f"flex answered {good} of {calls} calls"
        if now >= self._deadline.latest(left):
            return f"in flex {left} requests might be late"
        return ""
