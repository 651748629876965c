"""When to cancel batch jobs so that immediate calls can still answer the rest in time.

This is pure arithmetic on the counters of a look. Constants are estimates, with their source; measured values replace
them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from airflow_provider_genai_batch.models.jobs.job_status import JobStatus

CANCEL_SECONDS = 120.0
"""Seconds reserved for a cancelled job to end: users saw 3 to 60 seconds, occasionally more."""
FLEX_SECONDS = 600.0
"""Seconds (plus the time for the calls) by which jobs are cancelled earlier if flex is tried first: it costs as much as
a job, answers within minutes, and may be full."""
LEAST_RESERVE = 60.0
"""Seconds always reserved, also for Airflow to give the task a worker."""
RESERVE = 0.25
"""Fraction of the time for the calls that is reserved in addition."""
_LANDING, _LANDED_A_SECOND = 20.0, 2000.0

_CALLS = 64
"""Simultaneous calls: a client starts with eight and adapts up to twice this number."""
_LATENCY, _TOKENS_A_SECOND = 2.0, 200.0
"""Tokens per second of one call: 3,400 tokens took 17.5 seconds (median of 2,486 calls, 2026)."""
_INPUT_TOKENS_A_SECOND = 0.9 * 1_000_000 / 60
"""Input tokens of one model: the lowest quota per minute seen on paid accounts of the Gemini API is a million."""
_SPEND_A_SECOND = 10 / 600
"""USD: Google lets accounts of the first tier spend 10 in ten minutes."""
_VERTEX_FLEX_A_SECOND = 50.0
TYPICAL_OUTPUT = 500.0
"""Tokens of an answer, if a request sets no lower limit."""
_CALLS_TO_JUDGE, _SECONDS_TO_JUDGE, _LEAST_SHARE = 20, 120.0, 0.5
"""Flex calls to judge by: it refuses calls for minutes at a time, so a few calls say nothing about the next minutes."""


@dataclass(frozen=True)
class Deadline:
    """A deadline, and the time that must be left before it. Small, because triggers store it.

    Attributes:
        at: when all rows must be ready, in seconds since the epoch by the service's clock.
        rate: requests per second that immediate calls answer on average.
        requests: number of requests in the jobs of the current round, including jobs not submitted yet.
        landing: seconds for writing the rows.
        flex: whether the flex tier is tried first.
        cancel: seconds to allow for a cancelled job to end.
        late: whether the deadline had passed when the attempt began. Then requests are late anyway, and are sent as
            immediate calls.
    """

    at: float = math.inf
    rate: float = 1.0
    requests: int = 0
    landing: float = _LANDING
    flex: bool = False
    cancel: float = CANCEL_SECONDS
    late: bool = False

    def switch(self, left: int) -> float:
        """Return when to cancel jobs with so many unanswered requests, in seconds since the epoch.

        Args:
            left: unanswered requests. With 0, the job is cancelled anyway, because only that ends it.
        """
        flex = FLEX_SECONDS + left / self.rate if self.flex else 0.0
        return self.latest(left) - self.cancel - flex

    def latest(self, left: int) -> float:
        """Return when calls in the standard tier for so many requests have to begin, in seconds since the epoch."""
        return self.at - self.landing - left / self.rate * (1 + RESERVE) - LEAST_RESERVE

    def left(self, seen: Iterable[JobStatus]) -> int:
        """Return how many requests have no answer yet, by the counters of the last looks."""
        return max(0, self.requests - sum(map(_answered, seen)))

    def over(self, now: float) -> bool:
        """Whether it has passed."""
        return now >= self.at

    def for_requests(self, requests: int) -> Deadline:
        """Return a copy for a round of so many requests."""
        return replace(self, requests=requests)


def _answered(job: JobStatus) -> int:
    """Return the rows that a job has, as far as its counters say."""
    return min(job.finished, job.total) if job.total is not None else job.finished


def landing_seconds(requests: int) -> float:
    """Return the seconds to allow for writing so many rows."""
    return _LANDING + requests / _LANDED_A_SECOND


def expected_rate(
    input_tokens: float, output_tokens: float, *, usd: float | None = None, vertex_flex_only: bool = False
) -> float:
    """Return how many requests per second immediate calls are likely to answer.

    Args:
        input_tokens: tokens of one request.
        output_tokens: tokens of one answer, thoughts included.
        usd: cost of one request; None: unknown.
        vertex_flex_only: whether only the flex tier of Vertex AI is used.
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
    """Decides when to give up on the flex tier, for all remaining requests: once it is full, it stays full for long.

    Args:
        deadline: the task's deadline.
        standard: whether the standard tier may follow.
    """

    def __init__(self, deadline: Deadline, *, standard: bool) -> None:
        self._deadline, self._standard = deadline, standard
        self._marked: tuple[float, int, int] | None = None

    def verdict(self, now: float, *, left: int, answered: int, refused: int) -> str:
        """Return the reason to give up on flex, or an empty string.

        Args:
            now: seconds since the epoch by the service's clock.
            left: requests without an answer.
            answered: calls answered so far.
            refused: calls refused so far for lack of capacity.
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
