"""Where all rows may fail, as in the parts of a group, failed and missing rows are asked again all the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.night import Night
from tests.task.plain_task import MODEL

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
Build = Callable[..., Night]


@pytest.fixture
def night(virtual_clock: SharedClock, connect: Callable[..., Any], tmp_path: Path) -> Build:
    """Give a function that makes a task of 20 requests, all of which may fail."""

    def build(after: Night | None = None, **how: Any) -> Night:
        settings = {
            "conn_id": "any",
            "model": MODEL,
            "source": lambda: [f"Say {number}" for number in range(20)],
            "results_uri": str(tmp_path / "rows.jsonl"),
            "max_failed_rows": 1.0,
            **how,
        }
        kept = {} if after is None else after.kept
        return Night(settings, connect, begin=0 if after is None else 1, kept=kept)

    return build


def good(night: Night) -> int:
    manifest = night.go()
    assert manifest is not None, night.errors
    assert manifest["counts"]["total"] == 20
    return int(manifest["counts"]["ok"])


@EVERY_WAY
def test_rounds_ask_failed_rows_again_and_after_the_last_the_task_succeeds(
    night: Build, emulator: Emulator, deferrable: bool
) -> None:
    emulator.script(JobScript(row_errors={1: 13, 2: 13, 3: 13}))
    emulator.script(JobScript(row_errors={1: 13}))
    first = night(retry_failed_rows=1, deferrable=deferrable)
    assert good(first) == 19
    assert good(night(after=first, retry_failed_rows=1, deferrable=deferrable)) == 19
    assert len(emulator.jobs) == 2


def test_without_rounds_failed_rows_stay_and_a_later_attempt_asks_them_once_rounds_are_given(
    night: Build, emulator: Emulator
) -> None:
    emulator.script(JobScript(row_errors={1: 13, 2: 13}))
    first = night()
    assert good(first) == 18
    assert good(night(after=first)) == 18
    assert len(emulator.jobs) == 1
    assert good(night(after=first, retry_failed_rows=1)) == 20
    assert len(emulator.jobs) == 2


@EVERY_WAY
def test_at_a_deadline_the_rows_that_a_job_left_open_are_asked_at_once(
    night: Build, emulator: Emulator, virtual_clock: SharedClock, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.6))
    at = datetime.fromtimestamp(virtual_clock.time() + 3 * 3600, timezone.utc)
    assert good(night(ready_by=at, deferrable=deferrable)) == 20
    assert len(emulator.jobs) == 1
