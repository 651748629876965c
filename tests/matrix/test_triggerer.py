"""A triggerer of the Airflow at hand: its triggers see to jobs of tasks that somebody ended, and to no others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.processes.child import free_port
from tests.airflow_stack.process import Component
from tests.matrix.deferred import Waiting, deferred
from tests.waiting import wait_until

_SECONDS = 300.0
"""For a process of Airflow to start on a machine that is busy with other things."""


@pytest.fixture
def waiting(gemini: Emulator) -> list[Waiting]:
    """Give four tasks that wait, each for a job of its own."""
    return [deferred(gemini) for _ in range(4)]


@pytest.fixture
def triggerer(waiting: list[Waiting], tmp_path: Path) -> Iterator[Component]:
    settings = {
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }
    component = Component(["triggerer"], {**os.environ, **settings}, tmp_path / "triggerer.log")
    yield component
    component.kill()


def test_jobs_of_tasks_that_users_ended_are_cancelled_and_no_others(
    triggerer: Component, waiting: list[Waiting], gemini: Emulator
) -> None:
    wait_until(lambda: all(task.looks(gemini) for task in waiting), "all are looked at", _SECONDS)
    *ended, left = waiting
    for task, state in zip(ended, ("failed", "success", None), strict=True):
        task.set(state)
    wait_until(lambda: all(task.cancelled(gemini) for task in ended), "three are cancelled", _SECONDS)
    triggerer.ask_to_stop()
    triggerer.wait(_SECONDS)
    assert left.state == "deferred"
    assert not left.cancelled(gemini)
