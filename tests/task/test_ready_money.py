"""A deadline for the rows over attempts and deferrals: what was spent, asked of whom, and created counts."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ConfigurationError, DeadlineMissed, JobTimedOut
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.night import Night

HOUR = 3600.0
KEYS = [f"k{number:02}" for number in range(20)]
Build = Callable[..., Night]


@pytest.fixture
def night(virtual_clock: SharedClock, connect: Callable[..., Any], tmp_path: Path) -> Build:
    """Give a function that makes a task with a deadline so many seconds ahead."""

    def build(seconds: float, *, after: Night | None = None, **how: Any) -> Night:
        moment = datetime.fromtimestamp(virtual_clock.time() + seconds, timezone.utc)
        ready = {name: how.pop(name) for name in ("then", "model", "max_extra_cost") if name in how}
        settings = {
            "conn_id": "any",
            "model": "gemini-2.5-flash",
            "source": lambda: [{"key": key, "contents": f"Say {key}"} for key in KEYS],
            "results_uri": str(tmp_path / "rows.jsonl"),
            "ready_by": ReadyBy(moment, **ready),
            **how,
        }
        return Night(
            settings, connect, begin=int(after is not None), kept={} if after is None else after.kept
        )

    return build


def calls(emulator: Emulator) -> int:
    return sum(one["path"].endswith(":generateContent") for one in emulator.requests)


def test_what_earlier_attempts_have_spent_above_batch_price_counts(night: Build, emulator: Emulator) -> None:
    pytest.importorskip("genai_prices")
    many = [{"key": f"k{number:03}", "contents": f"Say {number}"} for number in range(200)]
    how = {"then": "standard", "source": lambda: many}
    first = night(150, max_extra_cost=0.00005, **how)
    assert first.go() is None
    asked = calls(emulator)
    assert 0 < asked < 200
    again = night(-60, after=first, max_extra_cost=0.00005, **how)
    assert again.go() is None
    (error,) = again.errors
    assert isinstance(error, DeadlineMissed), error
    assert "has been spent" in str(error)
    assert calls(emulator) == asked
    more = night(-60, after=first, max_extra_cost=1.0, **how)
    assert more.go() is not None, more.errors
    assert calls(emulator) == 200


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_retry_that_waits_for_a_place_at_the_deadline_takes_up_the_jobs_of_later_pieces(
    night: Build, emulator: Emulator, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=30, running=300)))
    how: dict[str, Any] = {"max_requests_per_job": 10, "on_timeout": "leave"}
    first = night(3 * HOUR, timeout=60.0, **how)
    assert first.go() is None
    assert isinstance(first.errors[0], JobTimedOut), first.errors
    retry = night(HOUR, after=first, max_active_jobs=1, deferrable=deferrable, **how)
    manifest = retry.go()
    assert manifest is not None, retry.errors
    assert (manifest["counts"]["ok"], len(emulator.jobs), calls(emulator)) == (20, 2, 5)


def test_files_that_expire_before_the_moment_are_refused_before_anything_is_paid(
    night: Build, emulator: Emulator, connect: Callable[[], AbstractContextManager[GenAIBatchClient]]
) -> None:
    with connect() as client:
        name = client.upload(io.BytesIO(b"some text"), name="files/in-some-text")
    uri = f"https://generativelanguage.googleapis.com/v1beta/{name}"
    part = {"fileData": {"fileUri": uri, "mimeType": "text/plain"}}
    source = [{"key": "k", "contents": [{"role": "user", "parts": [part, {"text": "Sum it up"}]}]}]
    task = night(49 * HOUR, source=lambda: source)
    assert task.go() is None
    assert isinstance(task.errors[0], ConfigurationError), task.errors
    assert f"{name}, which a request refers to, expires at" in str(task.errors[0])
    assert emulator.jobs == []
    in_time = night(47 * HOUR, source=lambda: source)
    assert in_time.go() is not None, in_time.errors
