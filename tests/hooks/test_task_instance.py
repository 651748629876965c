"""What a job is told of its task instance, and how far back jobs are looked for."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.hooks.task_instance import begin_of
from airflow_provider_genai_batch.models.jobs.identity import Identity, task_key
from airflow_provider_genai_batch.task.jobs.finder import JobFinder
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
from tests.operators.scenes import MODEL, client

NOW = datetime.now(timezone.utc)
DAY = {"data_interval_start": NOW - timedelta(hours=13), "data_interval_end": NOW + timedelta(hours=11)}


@pytest.mark.parametrize(
    "run",
    [
        pytest.param({"run_after": NOW - timedelta(minutes=1), **DAY}, id="Airflow 3"),
        pytest.param(DAY, id="Airflow 2"),
        pytest.param({}, id="nobody says"),
    ],
)
def test_a_job_of_a_run_of_the_interval_that_goes_on_is_found(gemini: Emulator, run: dict[str, Any]) -> None:
    me = Identity(task_key("d", "t", "manual", -1), "f" * 64)
    with client() as service:
        mine = service.create(MODEL, ["a"], display_name=me.display_name("d.t"))
        for number in range(101):  # so that the list goes on behind its first page
            service.create(MODEL, ["x"], display_name=f"other {number}")
        context: Any = {"dag_run": SimpleNamespace(**run)}
        assert [job.name for job in JobFinder(JobWatcher(service)).find(me, begin_of(context))] == [mine.name]


def test_a_list_is_walked_no_further_back_than_airflow_says_the_run_began() -> None:
    context: Any = {"dag_run": SimpleNamespace(run_after=NOW, **DAY)}
    assert begin_of(context) == NOW.timestamp()
