"""Jobs by what they ask: a key stands for one request within one ask."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import FALLBACK_ROUNDS, ask_of, round_of, tag_of


def job_tag(job: BatchJob) -> str:
    """Return what two jobs share that asked the same: a create call whose answer was lost may have made both."""
    return tag_of(job.display_name) if ask_of(job.display_name) else job.name


def one_of_twins(jobs: Sequence[BatchJob]) -> list[BatchJob]:
    """Return one job of those that asked the same."""
    return [*{job_tag(job): job for job in jobs}.values()]


def jobs_by_ask(jobs: Sequence[BatchJob], *, together: bool) -> list[list[list[BatchJob]]]:
    """Return jobs by what was asked, and then by round."""
    asks: dict[str, dict[int, list[BatchJob]]] = {"": {0: []}} if together and not jobs else {}
    for job in jobs:
        # A job that no task of this package created asks something of its own.
        ask = "" if together else ask_of(job.display_name) or job.name
        asks.setdefault(ask, {}).setdefault(round_of(job.display_name), []).append(job)
    return [[rounds.get(number, []) for number in _numbers(rounds)] for rounds in asks.values()]


def _numbers(rounds: Collection[int]) -> Iterator[int]:
    """Give the numbers of rounds, of the task's own and then of each fallback that has some."""
    for first in sorted({number - number % FALLBACK_ROUNDS for number in rounds}):
        last = max(number for number in rounds if number < first + FALLBACK_ROUNDS)
        yield from range(first, last + 1)
