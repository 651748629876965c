"""A connection's limit of enqueued tokens: jobs wait for room before they are uploaded, and large ones are cut."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Capacity, Emulator, JobScript, Lifecycle, VirtualClock
from airflow_provider_genai_batch.exceptions import JobTimedOut
from airflow_provider_genai_batch.models.jobs.identity import Identity, tokens_of
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import run_dag
from tests.operators.scenes import MODEL, client

STRANGER = Identity("d" * 64, "e" * 64)
LIMIT = 60


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    """Let jobs take a while of a clock that waiting moves."""
    clock = VirtualClock(datetime(2026, 11, 28, 17, 0, tzinfo=timezone.utc))
    return {"clock": clock, "lifecycle": Lifecycle.timed(0, 0.5)}


@pytest.fixture
def limited(gemini: Emulator, genai_batch_conn_id: str, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Give the emulator with a limit, which the connection knows of."""
    gemini.capacity = Capacity(enqueued_tokens=LIMIT)
    connection = gemini.connection("gemini")
    connection["extra"] = {**connection.get("extra", {}), "max_enqueued_tokens": {MODEL: LIMIT}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{genai_batch_conn_id.upper()}", json.dumps(connection))
    return gemini


def written(folder: Path, rows: int) -> str:
    """Write requests of about 18 tokens each."""
    path = folder / "in.jsonl"
    requests = [
        {"key": f"k{at}", "request": {"contents": [{"parts": [{"text": f"say {at}"}]}]}} for at in range(rows)
    ]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in requests))
    return str(path)


def refused(emulator: Emulator) -> int:
    return sum(one["status"] == 429 for one in emulator.requests)


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_waits_before_it_is_uploaded_until_jobs_of_others_leave_room(
    limited: Emulator, virtual_clock: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, deferrable: bool
) -> None:
    with client() as other:
        inline = [{"contents": "x" * 100}]
        other.create(MODEL, inline, display_name=STRANGER.display_name("nightly", 50))
    with caplog.at_level(logging.INFO):
        ran = run_dag(
            lambda: GenAIBatchOperator(
                task_id="ask", model=MODEL, src=written(tmp_path, 2), deferrable=deferrable, poll_interval=0.1
            )
        )
    assert ran.state == "success", ran.errors
    with client() as service:
        second, first = service.list()
    assert second.create_time is not None
    assert first.end_time is not None
    assert second.create_time >= first.end_time
    assert refused(limited) == 0
    asked = [one["method"] for one in limited.requests]
    assert asked.index("files.start") > asked.index("batches.list")
    assert "waits before it is uploaded" in caplog.text
    assert f"unfinished jobs of {MODEL} (known: 1) have 50 of" in caplog.text


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_job_above_the_limit_is_cut_and_its_pieces_take_turns(
    limited: Emulator, virtual_clock: Any, tmp_path: Path, deferrable: bool
) -> None:
    out = tmp_path / "out.jsonl"
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=written(tmp_path, 9),
            results_uri=str(out),
            deferrable=deferrable,
            poll_interval=0.1,
        )
    )
    assert ran.state == "success", ran.errors
    asked = [tokens_of(one["display_name"]) for one in limited.jobs]
    assert len(asked) >= 3
    assert all(tokens is not None and tokens <= LIMIT for tokens in asked)
    assert refused(limited) == 0, "the service never has to say that there is no room"
    assert len(out.read_text().splitlines()) == 9


def test_a_job_that_finds_no_room_until_the_deadline_was_neither_uploaded_nor_paid(
    limited: Emulator, virtual_clock: Any, tmp_path: Path
) -> None:
    limited.script(JobScript(lifecycle=Lifecycle.stuck("PENDING")))
    with client() as other:
        other.create(MODEL, [{"contents": "x" * 100}], display_name=STRANGER.display_name("nightly", 50))
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=written(tmp_path, 2), timeout=60, deferrable=False
        )
    )
    (error,) = ran.errors
    assert isinstance(error, JobTimedOut)
    assert "There was no room for the job until the deadline" in str(error)
    assert "nothing is billed" in str(error)
    assert len(limited.jobs) == 1
    assert "files.start" not in {one["method"] for one in limited.requests}


def test_without_a_limit_no_list_is_asked_for_and_names_say_no_tokens(
    gemini: Emulator, virtual_clock: Any
) -> None:
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], poll_interval=0.1))
    assert ran.state == "success", ran.errors
    assert "batches.list" not in {one["method"] for one in gemini.requests}
    assert tokens_of(gemini.jobs[0]["display_name"]) is None


def test_a_job_with_a_lower_priority_gives_way_for_a_while_before_it_takes_room(
    limited: Emulator, virtual_clock: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with client() as other:
        other.create(MODEL, [{"contents": "x" * 100}], display_name=STRANGER.display_name("nightly", 50))
    with caplog.at_level(logging.INFO):
        ran = run_dag(
            lambda: GenAIBatchOperator(
                task_id="ask",
                model=MODEL,
                src=written(tmp_path, 2),
                deferrable=True,
                poll_interval=0.1,
                priority=-1,
            )
        )
    assert ran.state == "success", ran.errors
    with client() as service:
        second, first = service.list()
    assert second.create_time is not None
    assert first.end_time is not None
    assert (second.create_time - first.end_time).total_seconds() >= 300
    assert caplog.text.count("it gives way to others") == 1
    assert refused(limited) == 0


def test_where_a_refusal_gives_no_reason_the_log_says_what_may_be_in_the_way_and_what_to_write(
    gemini: Emulator, genai_batch_conn_id: str, virtual_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.capacity = Capacity(enqueued_tokens=5)
    ran = run_dag(
        lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=["x" * 400], timeout=600, deferrable=False)
    )
    (error,) = ran.errors
    assert isinstance(error, JobTimedOut)
    assert caplog.text.count(f"no other job of {MODEL} is unfinished at this connection") == 1
    assert "max_requests_per_job" in caplog.text
    assert "max_enqueued_tokens" in caplog.text
