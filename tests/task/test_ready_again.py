"""A deadline for the rows, where an earlier attempt has paid for some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import DeadlineMissed, JobFailed
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.night import Night
from tests.task.plain_task import PlainTask

HOUR = 3600.0
KEYS = [f"k{number:02}" for number in range(20)]
Build = Callable[..., Night]


@pytest.fixture
def night(virtual_clock: SharedClock, emulator: Emulator, tmp_path: Path) -> Build:
    """Give a function that makes a task with two jobs and a deadline so many seconds ahead."""

    def build(
        seconds: float, *, after: Night | None = None, tokens: int | None = None, stuck: str = "", **how: Any
    ) -> Night:
        limits = {"*": tokens} if tokens else {}

        @contextmanager
        def client() -> Iterator[GenAIBatchClient]:
            config = ClientConfig(Backend.GEMINI, api_key="k", host=emulator.url, max_enqueued_tokens=limits)
            with GenAIBatchClient(config) as opened:
                yield opened

        moment = datetime.fromtimestamp(virtual_clock.time() + seconds, timezone.utc)
        settings = {
            "conn_id": "any",
            "model": "gemini-2.5-flash",
            "source": lambda: [{"key": key, "contents": f"Say {key}"} for key in KEYS],
            "results_uri": str(tmp_path / "rows.jsonl"),
            "max_requests_per_job": 10,
            "ready_by": ReadyBy(moment, if_stuck=stuck) if stuck else ReadyBy(moment),
            **how,
        }
        if after is None:
            return Night(settings, client)
        return Night(settings, client, begin=1, kept=after.kept)

    return build


def calls(emulator: Emulator) -> int:
    return sum(one["path"].endswith(":generateContent") for one in emulator.requests)


def test_a_retry_without_time_for_a_job_takes_the_rows_of_the_jobs_there_are(
    night: Build, emulator: Emulator
) -> None:
    emulator.script(JobScript(end="FAILED"))
    first = night(3 * HOUR)
    assert first.go() is None
    assert isinstance(first.errors[0], JobFailed)
    retry = night(300, after=first)
    manifest = retry.go()
    assert manifest is not None, retry.errors
    assert (manifest["counts"]["ok"], len(emulator.jobs), calls(emulator)) == (20, 2, 10)


def test_a_job_that_waits_for_room_does_not_wait_longer_than_the_rows_have_time(
    night: Build, emulator: Emulator, virtual_clock: SharedClock
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    other = night(
        3 * HOUR, tokens=100_000, ready_by=None, wait=False, results_uri=None, max_requests_per_job=20
    )
    other.run = "another"
    assert other.go() is not None, other.errors
    task = night(HOUR, tokens=200, deferrable=True)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert virtual_clock.time() < task.settings["ready_by"].at.timestamp()
    assert (manifest["counts"]["ok"], len(emulator.jobs), calls(emulator)) == (20, 1, 20)


def test_a_job_that_does_not_end_misses_the_deadline_though_another_one_has_rows(
    night: Build, emulator: Emulator, virtual_clock: SharedClock
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_looks=600))
    task = night(3 * HOUR, stuck="wait", deferrable=True)
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, DeadlineMissed), error
    assert virtual_clock.time() - task.settings["ready_by"].at.timestamp() < 120
    assert error.manifest is not None
    assert (error.manifest["counts"]["ok"], calls(emulator)) == (5, 0)


def test_a_retry_finds_what_was_asked_at_once_though_one_of_its_jobs_counts_no_more(
    night: Build, emulator: Emulator
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("PENDING")))
    first = night(3 * HOUR)
    assert first.go() is not None, first.errors
    assert calls(emulator) == 15
    retry = night(3 * HOUR, after=first)
    manifest = retry.go()
    assert manifest is not None, retry.errors
    assert (manifest["counts"]["ok"], len(emulator.jobs), calls(emulator)) == (20, 2, 15)


def test_a_retry_counts_what_was_asked_at_once_after_a_job_that_left_no_row(
    night: Build, emulator: Emulator
) -> None:
    emulator.script(JobScript(end="EXPIRED"))
    how = {"ready_by": None, "retry_tier": "standard", "retry_failed_rows": 1, "max_requests_per_job": 20}
    first = night(0, **how)
    assert first.go() is not None, first.errors
    (part,) = Path(first.settings["results_uri"]).parent.glob("_journal-*/*")
    writer, number, _, at = part.name.split("_")  # as if the attempt had been killed after eight answers
    part.with_name(f"{writer}_{number}_8_{at}").write_bytes(b"".join(part.read_bytes().splitlines(True)[:8]))
    part.unlink()
    before = calls(emulator)
    retry = night(0, after=first, **how)
    manifest = retry.go()
    assert manifest is not None, retry.errors
    assert (manifest["counts"]["ok"], len(emulator.jobs), calls(emulator) - before) == (20, 1, 12)


def test_how_long_rows_of_a_left_job_are_late_is_kept_over_deferrals(
    night: Build, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    task, seen = night(3 * HOUR, deferrable=True, max_requests_per_job=20), list[object]()
    complete = TaskAttempt.complete
    monkeypatch.setattr(PlainTask, "late_rows", lambda _self, event: seen.append(event.get("late_since")))
    monkeypatch.setattr(
        TaskAttempt, "complete", lambda self, event: complete(self, {**event, "late_since": 1.0})
    )
    assert task.go() is not None, task.errors
    assert seen[0] == 1.0


def test_jobs_that_ask_the_input_in_pieces_are_taken_up_where_the_retry_would_ask_at_once(
    night: Build, emulator: Emulator
) -> None:
    first = night(0, ready_by=None)
    assert first.go() is not None, first.errors
    retry = night(0, after=first, ready_by=None, tier="standard")
    manifest = retry.go()
    assert manifest is not None, retry.errors
    assert (manifest["counts"]["ok"], len(emulator.jobs), calls(emulator)) == (20, 2, 0)


def test_an_attempt_that_is_to_take_up_nothing_has_a_job_of_its_own_after_its_pilot(
    night: Build, emulator: Emulator
) -> None:
    task = night(0, ready_by=None, pilot=5, reattach=False, max_requests_per_job=20)
    assert task.go() is not None, task.errors
    with task.open_client() as client:
        again = TaskAttempt(
            RunSettings(**task.settings), PlainTask(is_first_try=False, kept=task.kept), client
        )
        manifest = again.run(Attempt(look_first=True, reattach=False))
    assert (manifest["counts"]["ok"], len(emulator.jobs), calls(emulator)) == (20, 2, 10)
