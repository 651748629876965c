"""Fallbacks: where a job does not leave the queue, another model, connection or tier is asked what it has left."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Capacity, Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import (
    ConfigurationError,
    JobCancelled,
    JobTimedOut,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.hooks.genai_batch import open_client
from airflow_provider_genai_batch.models import Fallback
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.night import Night

PENDING = 600.0
KEYS = [f"k{number:02}" for number in range(20)]
EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
Build = Callable[..., Night]
OTHER = "gemini-2.5-flash-lite"


@pytest.fixture
def elsewhere(virtual_clock: SharedClock, emulator: Emulator) -> Iterator[Emulator]:
    """Give the service of another project."""
    with Emulator(clock=emulator.clock) as running:
        yield running


@pytest.fixture
def night(
    virtual_clock: SharedClock,
    emulator: Emulator,
    elsewhere: Emulator,
    tmp_path: Path,
) -> Build:
    """Give a function that makes a task with fallbacks."""

    def at(one: Emulator) -> AbstractContextManager[GenAIBatchClient]:
        return GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="k", host=one.url))

    def other(conn_id: str) -> AbstractContextManager[GenAIBatchClient]:
        if conn_id == "vertex":
            return GenAIBatchClient(ClientConfig(Backend.VERTEX, project="p", host=elsewhere.url))
        if conn_id not in ("own", "other"):
            msg = f"the connection {conn_id!r} does not exist"
            raise ConfigurationError(msg)
        return at(emulator if conn_id == "own" else elsewhere)

    def build(*fallbacks: Any, after: Night | None = None, **how: Any) -> Night:
        retries = how.pop("retries", 0)
        settings = {
            "conn_id": "own",
            "model": "gemini-2.5-flash",
            "source": lambda: [{"key": key, "contents": f"Say {key}"} for key in KEYS],
            "results_uri": str(tmp_path / "rows.jsonl"),
            "pending_timeout": PENDING,
            "fallbacks": [*fallbacks],
            **how,
        }
        kept = {} if after is None else after.kept
        return Night(
            settings,
            lambda: at(emulator),
            begin=0 if after is None else 1,
            retries=retries,
            kept=kept,
            open_other=other,
        )

    return build


def rows(night: Night) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in Path(night.settings["results_uri"]).read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def calls(emulator: Emulator) -> int:
    return sum(one["path"].endswith(":generateContent") for one in emulator.requests)


def models(emulator: Emulator) -> list[str]:
    return [job["model"].rpartition("/")[2] for job in emulator.jobs]


def stuck(emulator: Emulator, state: str = "PENDING", **how: Any) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck(state), **how))


@EVERY_WAY
def test_a_job_that_does_not_leave_the_queue_is_cancelled_and_another_model_is_asked(
    night: Build, emulator: Emulator, deferrable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stuck(emulator)
    task = night({"model": OTHER}, deferrable=deferrable)
    with caplog.at_level(logging.INFO):
        manifest = task.go()
    assert manifest is not None, task.errors
    assert (manifest["counts"]["ok"], len(rows(task))) == (20, 20)
    assert models(emulator) == ["gemini-2.5-flash", OTHER]
    assert [job["state"] for job in emulator.jobs] == ["CANCELLED", "SUCCEEDED"]
    assert "has not left the queue in time (pending_timeout)" in caplog.text
    assert f"Using the fallback model {OTHER} for 20 unanswered requests" in caplog.text


@EVERY_WAY
def test_what_other_jobs_have_answered_is_kept_and_those_that_run_are_waited_for(
    night: Build, emulator: Emulator, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=60, running=1500)))
    stuck(emulator)
    task = night({"model": OTHER}, deferrable=deferrable, max_requests_per_job=10)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (manifest["counts"]["ok"], len(rows(task))) == (20, 20)
    assert [job["state"] for job in emulator.jobs] == ["SUCCEEDED", "CANCELLED", "SUCCEEDED"]
    assert sorted({row.get("round", 0) for row in rows(task).values()}) == [0, 1]


@EVERY_WAY
def test_another_connection_is_asked_and_its_rows_land_beside_those_of_the_tasks_own(
    night: Build, emulator: Emulator, elsewhere: Emulator, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=60, running=60)))
    stuck(emulator)
    task = night({"conn_id": "other"}, deferrable=deferrable, max_requests_per_job=10)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (manifest["counts"]["ok"], len(rows(task))) == (20, 20)
    assert [len(one.jobs) for one in (emulator, elsewhere)] == [2, 1]
    assert manifest["answered_by"] == [
        {"model": "models/gemini-2.5-flash", "conn_id": conn_id, "ok": 10} for conn_id in ("own", "other")
    ]
    assert manifest["rounds"] == 2


def test_tiers_come_last_flex_is_left_for_standard_where_it_is_full(night: Build, emulator: Emulator) -> None:
    stuck(emulator)
    stuck(emulator)
    emulator.capacity = Capacity(spells={"flex": (0, 1)})
    task = night({"model": OTHER}, "flex", "standard")
    manifest = task.go()
    assert manifest is not None, task.errors
    assert manifest["counts"]["ok"] == 20
    assert (models(emulator), manifest["tiers"]) == (["gemini-2.5-flash", OTHER], {"standard": 20})
    assert {one["model"].rpartition("/")[2]: one["ok"] for one in manifest["answered_by"]} == {
        "gemini-2.5-flash": 20,
        OTHER: 0,
    }
    assert len(manifest["answered_by"]) == 2


def test_when_the_last_one_is_stuck_too_the_task_fails_and_the_next_attempt_goes_on_with_that(
    night: Build, emulator: Emulator
) -> None:
    for _ in range(2):
        stuck(emulator)
    task = night({"model": OTHER})
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, JobTimedOut)
    first, second = (job["name"] for job in emulator.jobs)
    assert (first in str(error), second in str(error)) == (False, True)
    assert {job["state"] for job in emulator.jobs} == {"CANCELLED"}
    retry = night({"model": OTHER}, after=task)
    assert retry.go() is not None, retry.errors
    assert models(emulator) == ["gemini-2.5-flash", OTHER, OTHER]


@pytest.mark.parametrize("fallback", [{"model": OTHER}, {"conn_id": "other"}], ids=str)
@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_retry_finds_the_job_of_each_fallback_and_pays_nothing_again(
    night: Build, emulator: Emulator, elsewhere: Emulator, fallback: dict[str, str], deferrable: bool
) -> None:
    stuck(emulator)
    first = night(fallback, deferrable=deferrable)
    assert first.go() is not None, first.errors
    for settings in ({}, {"pending_timeout": 1200.0}):  # what counts is what the service has
        retry = night(fallback, after=first, deferrable=deferrable, **settings)
        manifest = retry.go()
        assert manifest is not None, retry.errors
        assert manifest["counts"]["ok"] == 20
        assert len(emulator.jobs) + len(elsewhere.jobs) == 2


def test_a_retry_after_a_refusal_between_the_cancellation_and_the_next_job_does_not_queue_again(
    night: Build, emulator: Emulator
) -> None:
    stuck(emulator)
    emulator.faults.add("batches.create", Fault.error(403, "not you", path=OTHER))
    first = night({"model": OTHER})
    assert first.go() is None
    assert len(emulator.jobs) == 1
    retry = night({"model": OTHER}, after=first)
    assert retry.go() is not None, retry.errors
    assert models(emulator) == ["gemini-2.5-flash", OTHER]


@EVERY_WAY
def test_where_there_is_no_capacity_for_a_job_the_next_is_asked_and_a_retry_finds_it(
    night: Build, emulator: Emulator, elsewhere: Emulator, deferrable: bool
) -> None:
    full = Fault.error(429, message="too many", grpc="RESOURCE_EXHAUSTED", times=500)
    emulator.faults.add("batches.create", full)
    first = night({"conn_id": "other"}, deferrable=deferrable)
    manifest = first.go()
    assert manifest is not None, first.errors
    emulator.faults.clear()
    assert (len(emulator.jobs), len(elsewhere.jobs), manifest["counts"]["ok"]) == (0, 1, 20)
    retry = night({"conn_id": "other"}, after=first, deferrable=deferrable)
    assert retry.go() is not None, retry.errors
    assert (len(emulator.jobs), len(elsewhere.jobs)) == (0, 1)


def test_where_there_is_no_such_model_the_next_is_asked_at_once(
    night: Build, emulator: Emulator, virtual_clock: SharedClock
) -> None:
    emulator.faults.add("batches.create", Fault.error(404, "models/gone is not found", grpc="NOT_FOUND"))
    begun = virtual_clock.time()
    task = night({"model": OTHER})
    assert task.go() is not None, task.errors
    assert models(emulator) == [OTHER]
    assert virtual_clock.time() - begun < PENDING


def test_rows_that_fail_in_a_job_that_ran_are_no_reason_to_ask_a_fallback(
    night: Build, emulator: Emulator
) -> None:
    emulator.script(JobScript(missing=["k03"]))
    task = night({"model": OTHER})
    assert task.go() is None
    assert isinstance(task.errors[0], TooManyFailedRows)
    assert models(emulator) == ["gemini-2.5-flash"]


def test_a_job_that_somebody_cancels_before_its_time_is_no_reason_either(
    night: Build, emulator: Emulator
) -> None:
    emulator.script(JobScript(states=["PENDING", "CANCELLED"], end="CANCELLED"))
    task = night({"model": OTHER})
    assert task.go() is None
    assert isinstance(task.errors[0], JobCancelled), task.errors
    assert models(emulator) == ["gemini-2.5-flash"]


def test_a_job_that_does_not_end_its_cancellation_is_never_paid_again(
    night: Build, emulator: Emulator
) -> None:
    stuck(emulator, cancel_ignored=True)
    task = night({"model": OTHER}, timeout=1500.0)
    assert task.go() is None
    assert isinstance(task.errors[0], JobTimedOut), task.errors
    assert len(emulator.jobs) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pending_timeout": None}, "pending_timeout"),
        ({"results_uri": None}, "results_uri"),
        ({"wait": False, "results_uri": None}, "results_uri"),
        ({"fallbacks": ["standard"], "results_uri": "bq://p.d.t"}, "give a file as results_uri"),
        ({"ready_by": "06:00"}, "leave one of them out"),
        ({"retry_failed_rows": 1, "retry_tier": "standard"}, "and retry_tier both"),
        ({"tier": "standard"}, "leave tier out"),
        ({"fallbacks": ["standard", {"model": OTHER}]}, "come last"),
        ({"fallbacks": ["standard", "flex"]}, "come last"),
        ({"fallbacks": [{"modle": OTHER}]}, "{'modle'"),
        ({"fallbacks": [{"conn_id": "other", "tier": "flex"}]}, "own connection"),
        ({"fallbacks": [Fallback()]}, "changes nothing"),
        ({"fallbacks": [{"conn_id": "other"}], "dest": "gs://own/rows/"}, "staging_uri"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_when_the_dag_is_parsed(change: dict[str, Any], said: str) -> None:
    how = {"pending_timeout": PENDING, "results_uri": "/tmp/rows.jsonl", "fallbacks": [{"model": OTHER}]}
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        GenAIBatchOperator(task_id="ask", model="gemini-2.5-flash", src=["Hello"], **{**how, **change})


def test_a_source_that_only_the_service_reads_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ConfigurationError, match="only the service reads"):
        GenAIBatchOperator(
            task_id="ask",
            model="gemini-2.5-flash",
            src="files/abc",
            pending_timeout=PENDING,
            results_uri="/tmp/rows.jsonl",
            fallbacks=[Fallback(model=OTHER)],
        )


def test_a_fallback_that_could_not_be_asked_is_refused_before_anything_is_paid(
    night: Build, emulator: Emulator
) -> None:
    for fallback, said in (
        ({"conn_id": "vertex"}, "staging_uri"),
        ({"model": "gemini-embedding-001"}, "makes embeddings"),
        ({"conn_id": "nobody"}, "nobody"),
    ):
        task = night(fallback)
        assert task.go() is None
        assert isinstance(task.errors[0], ConfigurationError)
        assert said in str(task.errors[0])
    assert emulator.jobs == []


def test_a_job_at_another_connection_that_asks_something_else_by_now_is_cancelled(
    night: Build, emulator: Emulator, elsewhere: Emulator
) -> None:
    stuck(emulator)
    stuck(elsewhere, "RUNNING")
    first = night({"conn_id": "other"}, timeout=900.0, on_timeout="leave")
    assert first.go() is None
    assert [job["state"] for job in elsewhere.jobs] == ["RUNNING"]
    retry = night({"conn_id": "other"}, after=first, source=lambda: ["Something else"])
    assert retry.go() is not None, retry.errors
    assert [one["path"] for one in elsewhere.requests if one["path"].endswith(":cancel")]


def test_another_service_is_asked_in_its_own_words(
    night: Build, emulator: Emulator, cloud_storage: CloudStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=60, running=60)))
    stuck(emulator)
    with Emulator(clock=emulator.clock, storage=cloud_storage) as vertex:
        monkeypatch.setenv("AIRFLOW_CONN_VERTEX", json.dumps(vertex.connection("vertex")))
        task = night({"conn_id": "vertex"}, max_requests_per_job=10)
        task.open_other = open_client
        manifest = task.go()
        assert manifest is not None, task.errors
        assert [len(one.jobs) for one in (emulator, vertex)] == [2, 1]
    assert (manifest["counts"]["ok"], len(rows(task))) == (20, 20)
