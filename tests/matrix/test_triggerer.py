"""A triggerer of the Airflow at hand: its trigger sees to the job when somebody ends the task, and only then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.child import free_port
from tests.airflow_stack.process import Component
from tests.matrix.deferred import Waiting, deferred
from tests.waiting import wait_until

_SECONDS = 60.0
"""For a process of Airflow to start on a machine that is busy with other things."""


@pytest.fixture
def waiting(gemini: Emulator) -> Waiting:
    return deferred(gemini)


@pytest.fixture
def triggerer(waiting: Waiting, gemini: Emulator, tmp_path: Path) -> Iterator[Component]:
    """Give a triggerer that has begun to look at the job."""
    settings = {
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }
    log = tmp_path / "triggerer.log"
    gemini.clear_requests()
    component = Component(["triggerer"], {**os.environ, **settings}, log)
    try:
        wait_until(lambda: gemini.requests, f"it looks; it said {log}", _SECONDS)
        yield component
    finally:
        component.kill()


@pytest.mark.parametrize("state", ["failed", "success", None], ids=["failed", "success", "cleared"])
def test_a_deferred_task_that_a_user_ended_has_its_job_cancelled(
    triggerer: Component, waiting: Waiting, gemini: Emulator, state: str | None
) -> None:
    waiting.set(state)
    wait_until(lambda: gemini.jobs[-1]["cancel_requested"], "the job is cancelled", _SECONDS)


def test_a_triggerer_that_stops_cancels_nothing(
    triggerer: Component, waiting: Waiting, gemini: Emulator
) -> None:
    triggerer.ask_to_stop()
    triggerer.wait(_SECONDS)
    assert waiting.state == "deferred"
    assert not gemini.jobs[-1]["cancel_requested"]
