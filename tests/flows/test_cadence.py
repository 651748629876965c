"""When the next look comes: it closes in on the end that a job's own progress foretells."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from airflow_provider_genai_batch.flows.cadence import FIRST, cadence
from airflow_provider_genai_batch.flows.progress import Progress
from airflow_provider_genai_batch.models import JobState
from tests.flows.jobs import BEGIN, job

INTERVAL = 60.0


def looks(seconds: float, total: int = 1000, *, ends: float | None = None) -> list[float]:
    """Look at a job that answers at an even pace until it has ended; return when, in seconds."""
    progress, now, moments = Progress(), 0.0, []
    while now < (ends or seconds):
        done = min(total, int(total * now / seconds))
        progress.tell(job(JobState.RUNNING, done, total=total), BEGIN + now)
        moments.append(now)
        now += cadence(progress, queued=False, waited=now, now=BEGIN + now, poll_interval=INTERVAL)
    return [*moments, now]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="airflow_provider_genai_batch")


@pytest.mark.parametrize("minutes", [7, 31, 119])
def test_the_end_is_noticed_soon_and_costs_few_looks(minutes: int) -> None:
    moments = looks(60 * minutes)
    assert moments[-1] - 60 * minutes < 5
    assert len(moments) < minutes + 30


def test_no_two_looks_are_further_apart_than_the_interval_or_closer_than_the_first() -> None:
    moments = looks(3600)
    gaps = [after - before for before, after in pairwise(moments)]
    assert max(gaps) <= INTERVAL
    assert min(gaps) >= FIRST


def test_a_job_that_is_through_and_does_not_end_is_looked_at_less_and_less() -> None:
    moments = looks(600, ends=3600)
    late = [moment for moment in moments if moment > 900]
    assert len(late) < (3600 - 900) / INTERVAL * 1.2


def test_a_job_whose_counters_stand_still_is_looked_at_by_its_age() -> None:
    progress = Progress()
    for minute in range(3):
        progress.tell(job(JobState.RUNNING, 0), BEGIN + 60 * minute)
    assert progress.ends is None
    assert cadence(progress, queued=False, waited=120, now=BEGIN + 120, poll_interval=INTERVAL) == 30


def test_the_queue_gets_half_the_care() -> None:
    queued = cadence(Progress(), queued=True, waited=40, now=BEGIN, poll_interval=INTERVAL)
    assert queued == 2 * cadence(Progress(), queued=False, waited=40, now=BEGIN, poll_interval=INTERVAL)
