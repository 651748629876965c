"""Groups of jobs with the same requests: within a group, a key identifies one request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import FALLBACK_ROUNDS, ask_of, round_of, tag_of


def job_tag(job: BatchJob) -> str:
    """Return a tag shared by jobs with the same requests, such as two jobs made by one create call."""
    return tag_of(job.display_name) if ask_of(job.display_name) else job.name


def one_of_twins(jobs: Sequence[BatchJob]) -> list[BatchJob]:
    """Return one job of each group with the same requests."""
    return [*{job_tag(job): job for job in jobs}.values()]


def jobs_by_ask(jobs: Sequence[BatchJob], *, together: bool) -> list[list[list[BatchJob]]]:
    """Return jobs grouped by their requests, and then by round."""
    asks: dict[str, dict[int, list[BatchJob]]] = {"": {0: []}} if together and not jobs else {}
    for job in jobs:
        # A job that was not created by a task of this package is a group of its own.
        ask = "" if together else ask_of(job.display_name) or job.name
        asks.setdefault(ask, {}).setdefault(round_of(job.display_name), []).append(job)
    return [[rounds.get(number, []) for number in _numbers(rounds)] for rounds in asks.values()]


def _numbers(rounds: Collection[int]) -> Iterator[int]:
    """Yield the numbers of rounds: the task's own, then those of each fallback."""
    for first in sorted({number - number % FALLBACK_ROUNDS for number in rounds}):
        last = max(number for number in rounds if number < first + FALLBACK_ROUNDS)
        yield from range(first, last + 1)
