"""Airflow's own triggerer carries deferred tasks; no worker, no scheduler and no API server are needed for that."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunner

from tests.benchmarks.triggerer.run import WARNING, carry_jobs


@pytest.mark.stack
def test_each_of_many_tasks_goes_on_with_the_event_of_its_own_job(tmp_path: Path) -> None:
    outcome = carry_jobs(tmp_path / "home", 60, interval=2, spread=2)
    assert outcome.states == {"scheduled": 60}, outcome.log
    assert outcome.succeeded == 60
    assert outcome.requests < 60 * 4


def test_the_triggerer_still_warns_in_these_words() -> None:
    assert WARNING in inspect.getsource(TriggerRunner.block_watchdog)
