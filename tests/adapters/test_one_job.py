"""One job through common.ai too: lost replies, dead workers, lists that lag, kills."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.ai.batch import state
from airflow.providers.common.ai.batch.polling import BatchPoller
from airflow.providers.common.ai.exceptions import (
    LLMBatchJobError,
    LLMBatchOrphanLookupError,
    LLMBatchTimeoutError,
)
from airflow.providers.common.ai.operators.llm_batch import LLMBatchOperator
from airflow.providers.common.ai.triggers.llm_batch import LLMBatchTrigger

from airflow_provider_genai_batch.adapters.common_ai import GeminiBatchAdapter, VertexBatchAdapter
from airflow_provider_genai_batch.adapters.places import Place
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import CreateOutcomeUnknown, PermissionDenied
from airflow_provider_genai_batch.flows.submission import own_jobs
from airflow_provider_genai_batch.hooks.state_store.records import JobRecords
from tests.adapters.batches import BOTH_WAYS, MODELS, ask
from tests.operators.scenes import MODEL, client

ADAPTERS = {"gemini": GeminiBatchAdapter, "vertex": VertexBatchAdapter}
CREATE = {"gemini": "batches.create", "vertex": "batchPredictionJobs.create"}
STUCK = JobScript(lifecycle=Lifecycle.stuck("RUNNING"))


def creates(emulator: Emulator) -> int:
    return sum(request["method"] in CREATE.values() for request in emulator.requests)


def once(patch: pytest.MonkeyPatch, owner: Any, name: str, deed: Callable[..., None]) -> None:
    """Do something at the first call, and let the worker die there."""
    real, done = getattr(owner, name), []

    def both(*args: Any, **fields: Any) -> Any:
        if not done:
            done.append(True)
            deed(**fields)
            msg = "the worker dies here"
            raise RuntimeError(msg)
        return real(*args, **fields)

    patch.setattr(owner, name, both)


@pytest.fixture
def dies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first worker die when the service has the job and nobody has written it down."""
    once(monkeypatch, state, "write_submitted", lambda **_: None)
    monkeypatch.setattr(JobRecords, "read", lambda _: None)


@pytest.mark.parametrize("fault", [Fault.lost_reply(), Fault.unreadable()], ids=lambda f: f.kind)
def test_a_create_whose_reply_was_lost_is_found_again_by_the_same_attempt(
    emulator_of: Emulator, backend: str, tmp_path: Path, fault: Fault
) -> None:
    emulator_of.faults.add(CREATE[backend], fault)
    ran = ask(tmp_path, model_id=MODELS[backend])
    assert ran.state == "success", ran.errors
    assert (len(emulator_of.jobs), creates(emulator_of), ran.tries["ask"]) == (1, 1, 1)


def test_a_create_whose_reply_was_lost_while_nobody_could_look_is_found_by_the_retry(
    gemini: Emulator, tmp_path: Path
) -> None:
    gemini.faults.add("batches.create", Fault.lost_reply())
    gemini.faults.add("batches.list", Fault.error(403, "not now", times=4))
    ran = ask(tmp_path, retries=1)
    assert ran.state == "success", ran.errors
    assert isinstance(ran.errors[0], CreateOutcomeUnknown)
    assert (len(gemini.jobs), creates(gemini)) == (1, 1)


@BOTH_WAYS
@pytest.mark.usefixtures("dies_once")
def test_the_job_of_a_worker_that_died_is_reattached_by_the_retry(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool
) -> None:
    ran = ask(tmp_path, model_id=MODELS[backend], deferrable=deferrable, retries=1)
    assert ran.state == "success", ran.errors
    assert (len(emulator_of.jobs), creates(emulator_of), ran.tries["ask"]) == (1, 1, 2)
    assert ran.xcom["ask"]["counts"]["succeeded"] == 3


@BOTH_WAYS
def test_so_is_a_job_that_has_ended_meanwhile(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(batch_id: str, **_: Any) -> None:
        emulator_of.force(Place.of(batch_id).job, "SUCCEEDED")

    once(monkeypatch, state, "write_submitted", end)
    ran = ask(tmp_path, model_id=MODELS[backend], deferrable=deferrable, retries=1)
    assert ran.state == "success", ran.errors
    assert (len(emulator_of.jobs), ran.tries["ask"]) == (1, 2)
    assert ran.xcom["ask"]["counts"]["succeeded"] == 3


@pytest.mark.usefixtures("dies_once")
def test_a_job_that_lists_do_not_show_yet_is_reattached_too(
    emulator_of: Emulator, backend: str, tmp_path: Path
) -> None:
    emulator_of.script(JobScript(list_lag=2))
    ran = ask(tmp_path, model_id=MODELS[backend], retries=1)
    assert ran.state == "success", ran.errors
    assert len(emulator_of.jobs) == 1


@pytest.mark.usefixtures("dies_once")
def test_nothing_is_created_while_nobody_can_look(gemini: Emulator, tmp_path: Path) -> None:
    gemini.faults.add("batches.list", Fault.error(403, "not yours"))
    ran = ask(tmp_path, retries=1)
    assert ran.state == "failed"
    assert isinstance(ran.errors[1], LLMBatchOrphanLookupError)
    assert isinstance(ran.errors[1].__cause__, PermissionDenied)
    assert creates(gemini) == 1


def test_a_job_that_goes_on_is_reattached_where_common_ai_has_lost_its_record(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record lies in ``result_path``, which may render to another place in each attempt."""
    gemini.script(JobScript(lifecycle=Lifecycle(looks=5)))
    once(monkeypatch, LLMBatchOperator, "_wait", lambda **_: None)
    ran = ask(tmp_path / "{{ ti.try_number }}", retries=1)
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 1


def test_a_job_of_other_prompts_is_cancelled(
    emulator_of: Emulator, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator_of.script(STUCK)
    prompts = ["yesterday"]
    once(monkeypatch, LLMBatchOperator, "_wait", lambda **_: prompts.append("today"))
    ran = ask(tmp_path, lambda: [*prompts], model_id=MODELS[backend], retries=1)
    assert ran.state == "success", ran.errors
    assert [job["cancel_requested"] for job in emulator_of.jobs] == [True, False]


def test_a_job_that_is_gone_is_submitted_anew(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []

    def delete(batch_id: str, **_: Any) -> None:
        gone.append(batch_id)
        with client() as service:
            service.delete(Place.of(batch_id).job)

    once(monkeypatch, LLMBatchOperator, "_wait", delete)
    monkeypatch.setattr(own_jobs, "APPEARS_WITHIN", 1.0)  # it is too young to be gone for good for so long
    ran = ask(tmp_path, retries=1)
    assert ran.state == "success", ran.errors
    assert creates(gemini) == 2
    assert ran.xcom["ask"]["batch_id"] not in gone


def test_a_job_that_nobody_may_look_at_is_kept_for_the_retry(gemini: Emulator, tmp_path: Path) -> None:
    gemini.faults.add("batches.get", Fault.error(403, "the account lost its role", times=5))
    ran = ask(tmp_path, retries=1)
    assert ran.state == "success", ran.errors
    assert isinstance(ran.errors[0], LLMBatchJobError)
    assert "lost its role" in str(ran.errors[0])
    assert creates(gemini) == 1


def test_a_killed_deferred_task_cancels_its_job(emulator_of: Emulator, backend: str) -> None:
    emulator_of.script(STUCK)
    with client() as service:
        batch_id = Place(submitted(service, backend), "genai_batch_default").batch_id
    trigger = LLMBatchTrigger(
        llm_conn_id="genai_batch_default",
        adapter=ADAPTERS[backend].name,
        batch_id=batch_id,
        poll_interval=1,
        end_time=0.0,
        cancel_on_kill=True,
        cancel_on_timeout=True,
    )
    asyncio.run(trigger.on_kill())
    assert emulator_of.jobs[0]["cancel_requested"]


def test_a_task_that_is_killed_in_place_cancels_its_job(
    emulator_of: Emulator, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator_of.script(STUCK)

    def killed(operator: LLMBatchOperator, *_: Any, **__: Any) -> None:
        operator.on_kill()
        msg = "killed"
        raise RuntimeError(msg)

    monkeypatch.setattr(LLMBatchOperator, "_poll_sync", killed)
    ask(tmp_path, model_id=MODELS[backend])
    assert emulator_of.jobs[0]["cancel_requested"]


@BOTH_WAYS
def test_a_job_that_is_out_of_time_is_cancelled(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator_of.script(STUCK)
    begin = BatchPoller.__init__

    def out_of_time(self: Any, **fields: Any) -> None:
        begin(self, **{**fields, "end_time": 0.0})

    monkeypatch.setattr(BatchPoller, "__init__", out_of_time)
    ran = ask(tmp_path, model_id=MODELS[backend], deferrable=deferrable)
    (error,) = ran.errors
    assert isinstance(error, LLMBatchTimeoutError)
    assert "The batch was cancelled" in str(error)
    assert emulator_of.jobs[0]["cancel_requested"]


def test_cancelling_a_job_that_has_ended_is_no_error(emulator_of: Emulator, backend: str) -> None:
    with client() as service:
        name = submitted(service, backend)
        emulator_of.force(name, "SUCCEEDED")
        ADAPTERS[backend](client=service).cancel_batch(Place(name, "genai_batch_default").batch_id)
    assert not emulator_of.jobs[0]["cancel_requested"]


def submitted(service: Any, backend: str) -> str:
    """Create a job past Airflow."""
    if backend == "gemini":
        return str(service.create(MODEL, ["a"]).name)
    line = b'{"key": "k", "request": {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}}\n'
    source = service.upload(io.BytesIO(line), "gs://emulator-staging/past/in.jsonl")
    return str(service.create(MODEL, source, dest="gs://emulator-staging/past/").name)
