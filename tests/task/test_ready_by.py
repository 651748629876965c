"""A deadline for the rows: a job that would be late is left, and only its rest is asked at once."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Capacity, Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ConfigurationError, DeadlineMissed
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.ready_by import ReadyBy
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.night import Night

HOUR = 3600.0
KEYS = [f"k{number:02}" for number in range(20)]
EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
Build = Callable[..., Night]


@pytest.fixture
def night(virtual_clock: SharedClock, emulator: Emulator, tmp_path: Path) -> Build:
    """Give a function that makes a task with a deadline so many seconds ahead."""

    def client() -> AbstractContextManager[GenAIBatchClient]:
        return GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="k", host=emulator.url))

    def build(seconds: float = 3 * HOUR, *, retries: int = 0, at: Any = None, **how: Any) -> Night:
        ready_by = {
            name: how.pop(name)
            for name in ("then", "if_stuck", "max_extra_cost", "model_then")
            if name in how
        }
        moment = at or datetime.fromtimestamp(virtual_clock.time() + seconds, timezone.utc)
        settings = {
            "conn_id": "any",
            "model": "gemini-2.5-flash",
            "source": lambda: [{"key": key, "contents": f"Say {key}"} for key in KEYS],
            "results_uri": str(tmp_path / "rows.jsonl"),
            "ready_by": ReadyBy(moment, **ready_by),
            **how,
        }
        return Night(settings, client, retries=retries)

    return build


def rows(night: Night) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in Path(night.settings["results_uri"]).read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def calls(emulator: Emulator) -> int:
    return sum(one["path"].endswith(":generateContent") for one in emulator.requests)


def at_of(night: Night) -> float:
    at: float = night.settings["ready_by"].at.timestamp()
    return at


@EVERY_WAY
def test_a_job_that_is_stuck_is_left_and_all_rows_are_ready_in_time(
    night: Build,
    emulator: Emulator,
    virtual_clock: SharedClock,
    deferrable: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck()))
    task = night(deferrable=deferrable)
    with caplog.at_level(logging.INFO):
        manifest = task.go()
    assert manifest is not None, task.errors
    assert virtual_clock.time() < at_of(task)
    assert (manifest["counts"]["ok"], len(rows(task))) == (20, 20)
    assert (len(emulator.jobs), emulator.jobs[0]["state"], calls(emulator)) == (1, "CANCELLED", 20)
    assert "20 of 20 requests have no answer yet" in caplog.text
    # It had nearly all of the time: what is left of it is for the cancellation, a try in flex, and writing the rows.
    assert at_of(task) - virtual_clock.time() < 900


@EVERY_WAY
def test_rows_that_the_job_has_answered_are_kept_and_only_the_rest_is_asked(
    night: Build, emulator: Emulator, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.6))
    task = night(deferrable=deferrable)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (manifest["counts"]["ok"], len(rows(task)), calls(emulator)) == (20, 20, 8)
    assert sum(row.get("round") == 1 for row in rows(task).values()) == 8


def test_a_job_that_ends_in_time_is_not_left(night: Build, emulator: Emulator) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=HOUR, running=HOUR)))
    task = night()
    assert task.go() is not None, task.errors
    assert calls(emulator) == 0


def test_a_full_flex_tier_is_left_for_the_standard_tier(
    night: Build, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck()))
    emulator.capacity = Capacity(spells={"flex": (0, 1)})
    task = night()
    with caplog.at_level(logging.INFO):
        manifest = task.go()
    assert manifest is not None, task.errors
    assert manifest["counts"]["ok"] == 20
    assert "Asking 20 requests at once, in the standard tier." in caplog.text
    assert 20 < calls(emulator) <= 60  # flex was given up after few calls


def test_where_the_time_is_too_short_for_a_job_none_is_created(night: Build, emulator: Emulator) -> None:
    task = night(300)
    assert task.go() is not None, task.errors
    assert (emulator.jobs, calls(emulator)) == ([], 20)


def test_a_moment_that_has_passed_is_refused_before_anything_is_asked(
    night: Build, emulator: Emulator
) -> None:
    task = night(-60)
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, ConfigurationError)
    assert "has passed" in str(error)
    assert (emulator.jobs, calls(emulator)) == ([], 0)


@EVERY_WAY
def test_a_job_that_does_not_end_its_cancellation_misses_the_deadline_and_says_so(
    night: Build, emulator: Emulator, virtual_clock: SharedClock, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_looks=10_000))
    task = night(deferrable=deferrable)
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, DeadlineMissed)
    assert 'if_stuck="pay_twice"' in str(error)
    assert 0 <= virtual_clock.time() - at_of(task) < 60
    assert calls(emulator) == 0


@EVERY_WAY
def test_who_would_rather_pay_twice_has_all_rows_in_time(
    night: Build, emulator: Emulator, virtual_clock: SharedClock, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_looks=10_000))
    task = night(deferrable=deferrable, if_stuck="pay_twice")
    manifest = task.go()
    assert manifest is not None, task.errors
    assert virtual_clock.time() < at_of(task)
    assert (manifest["counts"]["ok"], calls(emulator)) == (20, 20)


@EVERY_WAY
def test_what_is_there_at_the_deadline_is_landed_and_the_next_attempt_asks_the_rest(
    night: Build, emulator: Emulator, virtual_clock: SharedClock, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    emulator.capacity = Capacity(spells=dict.fromkeys(("flex", "standard"), (0.0, 1.0)))
    task = night(deferrable=deferrable)
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, DeadlineMissed), error
    assert 0 <= virtual_clock.time() - at_of(task) < 120
    assert error.manifest is not None
    assert error.manifest["counts"]["ok"] == sum(row["status"] == "ok" for row in rows(task).values()) == 10
    emulator.capacity = Capacity()
    before = calls(emulator)
    task.begin = 1
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (manifest["counts"]["ok"], len(rows(task)), calls(emulator) - before) == (20, 20, 10)
    assert len(emulator.jobs) == 1
