"""Several jobs of one input that were created at different times: each has all its time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import JobTimedOut
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.night import Night

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
Build = Callable[..., Night]
OTHER = "gemini-2.5-flash-lite"


@pytest.fixture
def night(
    virtual_clock: SharedClock, emulator: Emulator, connect: Callable[..., Any], tmp_path: Path
) -> Build:
    """Give a function that makes a task with three jobs, of which two may run at a time."""

    def build(*jobs: Lifecycle, **how: Any) -> Night:
        for lifecycle in jobs:
            emulator.script(JobScript(lifecycle=lifecycle))
        settings = {
            "conn_id": "own",
            "model": "gemini-2.5-flash",
            "source": lambda: [f"Say {number}" for number in range(6)],
            "results_uri": str(tmp_path / "rows.jsonl"),
            "max_requests_per_job": 2,
            "max_active_jobs": 2,
            **how,
        }
        return Night(settings, connect)

    return build


def states(emulator: Emulator) -> list[str]:
    return [job["state"] for job in emulator.jobs]


@EVERY_WAY
@pytest.mark.parametrize("fallbacks", [[OTHER], None], ids=["with a fallback", "without"])
def test_a_later_job_may_be_queued_as_long_as_the_first_one(
    night: Build, emulator: Emulator, deferrable: bool, fallbacks: Any
) -> None:
    first, second = Lifecycle.timed(60, 840), Lifecycle.timed(60, 440)
    third = Lifecycle.timed(500, 440)  # queued from 500 to 1000, while the first job ends at 900
    task = night(first, second, third, pending_timeout=600, fallbacks=fallbacks, deferrable=deferrable)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (states(emulator), manifest["counts"]["ok"]) == (["SUCCEEDED"] * 3, 6)


@EVERY_WAY
def test_a_later_job_that_is_queued_for_longer_is_left_when_its_own_time_is_over(
    night: Build, emulator: Emulator, deferrable: bool
) -> None:
    jobs = Lifecycle.timed(60, 3000), Lifecycle.timed(60, 440), Lifecycle.stuck("PENDING")
    begun = emulator.clock.now_ns() / 1e9
    task = night(*jobs, pending_timeout=600, fallbacks=[OTHER], deferrable=deferrable)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert states(emulator) == ["SUCCEEDED", "SUCCEEDED", "CANCELLED", "SUCCEEDED"]
    assert manifest["counts"]["ok"] == 6
    cancelled = [one for one in emulator.requests if one["path"].endswith(":cancel")]
    assert len(cancelled) == 1
    assert begun + 3000 < emulator.clock.now_ns() / 1e9  # the first job ran to its end


@EVERY_WAY
def test_a_later_job_may_take_as_long_as_the_first_one(
    night: Build, emulator: Emulator, deferrable: bool
) -> None:
    jobs = Lifecycle.timed(60, 840), Lifecycle.timed(60, 440), Lifecycle.timed(60, 840)
    task = night(*jobs, timeout=1000, deferrable=deferrable)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (states(emulator), manifest["counts"]["ok"]) == (["SUCCEEDED"] * 3, 6)


@EVERY_WAY
def test_the_time_of_a_later_job_ends_too(night: Build, emulator: Emulator, deferrable: bool) -> None:
    jobs = Lifecycle.timed(60, 840), Lifecycle.timed(60, 440), Lifecycle.stuck("PENDING")
    task = night(*jobs, timeout=1000, deferrable=deferrable)
    assert task.go() is None
    assert isinstance(task.errors[-1], JobTimedOut)
    assert states(emulator) == ["SUCCEEDED", "SUCCEEDED", "CANCELLED"]
