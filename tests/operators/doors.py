"""The ways to wait for one job, so that one test body proves the same outcome in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from airflow_provider_genai_batch.task.jobs.submitter import JobSubmitter
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client

DOORS = ("in place", "deferred", "sensor", "deferred sensor")


def wait_by(door: str, src: Any, *, max_failed_rows: float = 0, **settings: Any) -> Ran:
    """Submit `src` and wait for the job by one of `DOORS`; the task that waits is called ``wait``.

    The sensors wait for a job that was submitted outside of Airflow.
    """
    if door in ("in place", "deferred"):
        return run_dag(
            lambda: GenAIBatchOperator(
                task_id="wait",
                model=MODEL,
                src=src,
                poll_interval=0.05,
                deferrable=door == "deferred",
                max_failed_rows=max_failed_rows,
                **settings,
            )
        )
    with client() as service:
        name = service.create(MODEL, src).name
    return run_dag(
        lambda: GenAIBatchSensor(
            task_id="wait",
            job_names=name,
            poke_interval=0.05,
            deferrable=door == "deferred sensor",
            max_failed_rows=max_failed_rows,
            timeout=60,
            **settings,
        )
    )


def after_submit(patch: pytest.MonkeyPatch, deed: Callable[[BatchJob], None]) -> None:
    """Do something when a task has come to its job, before it waits."""
    submit = JobSubmitter.submit

    def both(self: JobSubmitter, *args: Any, **settings: Any) -> Any:
        found = submit(self, *args, **settings)
        deed(found.job)
        return found

    patch.setattr(JobSubmitter, "submit", both)


def die_after_submit(patch: pytest.MonkeyPatch, before: Callable[[], object] = lambda: None) -> list[str]:
    """Let the first attempt end when its job is there; return the job that each attempt comes to.

    Args:
        patch: of the test.
        before: done as the first attempt ends.
    """
    came_to: list[str] = []

    def die_once(job: BatchJob) -> None:
        came_to.append(job.name)
        if len(came_to) == 1:
            before()
            msg = "the worker dies here"
            raise RuntimeError(msg)

    after_submit(patch, die_once)
    return came_to


def before_wait(patch: pytest.MonkeyPatch, deed: Callable[[BatchJob], object]) -> None:
    """Do something each time when a task begins to wait for jobs; it gets the oldest of them."""
    plan = RunSettings.wait_plan

    def both(self: RunSettings, job: BatchJob, **how: Any) -> Any:
        deed(job)
        return plan(self, job, **how)

    patch.setattr(RunSettings, "wait_plan", both)


def die_before_wait(
    patch: pytest.MonkeyPatch, deed: Callable[[BatchJob], object] = lambda _job: None
) -> None:
    """Let the first attempt end when it begins to wait for its jobs, and do something just before."""
    died: list[str] = []

    def die_once(job: BatchJob) -> None:
        if not died:
            died.append(job.name)
            deed(job)
            msg = "the worker dies here"
            raise RuntimeError(msg)

    before_wait(patch, die_once)
