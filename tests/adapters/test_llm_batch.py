"""``@task.llm_batch`` runs on both services: rows match their inputs, and ends are told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from airflow.providers.common.ai.exceptions import (
    LLMBatchCancelledError,
    LLMBatchJobError,
    LLMBatchPartialFailureError,
)
from pydantic import BaseModel

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import JobPaused
from tests.adapters.batches import BOTH_WAYS, MODELS, PROMPTS, ask, llm_batch, rows, the_error
from tests.client.places import uploaded
from tests.dags import run_dag


class Tag(BaseModel):
    """One tag, referred to."""

    name: str


class Label(BaseModel):
    """What a text is like."""

    mood: Literal["good", "bad"]
    tags: list[Tag]


@BOTH_WAYS
def test_rows_come_back_matched_to_their_inputs(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool
) -> None:
    emulator_of.script(JobScript(shuffle=True))
    ran = ask(tmp_path, deferrable=deferrable, model_id=MODELS[backend])
    assert ran.state == "success", ran.errors
    found = rows(ran)
    assert {index: row["output"] for index, row in found.items()} == {
        index: f"Answer to: {prompt}" for index, prompt in enumerate(PROMPTS)
    }
    manifest = ran.xcom["ask"]
    assert manifest["counts"]["succeeded"] == 3
    assert manifest["terminal_reason"] == "succeeded"
    assert {row["custom_id"] for row in found.values()} == {
        f"{manifest['custom_id_prefix']}-{i}" for i in range(3)
    }
    assert all(row["usage"]["input_tokens"] and row["model"] for row in found.values())
    (job,) = emulator_of.jobs
    assert manifest["batch_id"] == f"{job['name']}@genai_batch_default"


@BOTH_WAYS
def test_a_row_that_failed_says_why(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool
) -> None:
    emulator_of.script(
        JobScript(row_errors={1: {"code": 3, "message": "no such field"}}, finish_reasons={2: "SAFETY"})
    )
    ran = ask(tmp_path, deferrable=deferrable, model_id=MODELS[backend])
    assert ran.state == "success", ran.errors
    found = rows(ran)
    assert [found[index]["status"] for index in range(3)] == ["success", "error", "invalid_output"]
    assert "no such field" in found[1]["error"]["message"]
    assert found[1]["error"]["provider_code"] in ("3", "INVALID_ARGUMENT")
    assert found[2]["finish_reason"] == "SAFETY"
    assert ran.xcom["ask"]["terminal_reason"] == "partial"


def test_why_a_prompt_was_blocked_stands_where_the_finish_reason_would(
    gemini: Emulator, tmp_path: Path
) -> None:
    gemini.script(JobScript(blocked=[0]))
    found = rows(ask(tmp_path))
    assert (found[0]["status"], found[0]["finish_reason"]) == ("invalid_output", "PROHIBITED_CONTENT")


@BOTH_WAYS
def test_failed_rows_may_fail_the_task(gemini: Emulator, tmp_path: Path, deferrable: bool) -> None:
    gemini.script(JobScript(row_errors={1: 13}))
    ran = ask(tmp_path, deferrable=deferrable, fail_on_partial_error=True)
    assert isinstance(the_error(ran), LLMBatchPartialFailureError)


@BOTH_WAYS
def test_a_failed_job_fails_with_the_reason_of_the_service_and_the_retry_submits_anew(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool
) -> None:
    emulator_of.script(JobScript(end="FAILED", error={"code": 8, "message": "out of enqueued tokens"}))
    ran = ask(tmp_path, deferrable=deferrable, model_id=MODELS[backend], retries=1)
    assert ran.state == "success", ran.errors
    (error,) = ran.errors
    assert isinstance(error, LLMBatchJobError)
    assert "code 8: out of enqueued tokens" in str(error)
    assert len(emulator_of.jobs) == 2


def test_a_failed_job_for_which_the_service_has_no_words_says_so(gemini: Emulator, tmp_path: Path) -> None:
    gemini.script(JobScript(end="FAILED", error={"code": 13}))
    assert "code 13: no message." in str(the_error(ask(tmp_path)))


@BOTH_WAYS
def test_a_cancelled_job_fails_with_the_rows_it_has_and_the_retry_submits_anew(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool
) -> None:
    emulator_of.script(JobScript(end="CANCELLED", served=0.5))
    ran = ask(tmp_path, deferrable=deferrable, model_id=MODELS[backend], retries=1)
    assert ran.state == "success", ran.errors
    (error,) = ran.errors
    assert isinstance(error, LLMBatchCancelledError)
    assert len(emulator_of.jobs) == 2
    assert ran.xcom["ask"]["counts"]["succeeded"] == 3


@BOTH_WAYS
def test_a_job_cancelled_while_it_ran_is_told_by_its_rows_for_its_state_does_not(
    gemini: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    gemini.script(JobScript(row_errors={2: {"code": 1}}))
    ran = ask(tmp_path, deferrable=deferrable)
    assert isinstance(the_error(ran), LLMBatchCancelledError)


@BOTH_WAYS
def test_a_job_that_expired_gives_the_rows_it_has(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool
) -> None:
    emulator_of.script(JobScript(end="EXPIRED", served=0.0))
    ran = ask(tmp_path, deferrable=deferrable, model_id=MODELS[backend])
    assert ran.state == "success", (
        ran.errors
    )  # so common.ai has it, unless fail_on_partial_error says otherwise
    assert ran.xcom["ask"]["terminal_reason"] == "expired"
    assert ran.xcom["ask"]["counts"]["expired"] == 3


def test_a_paused_job_is_left_alone(gemini: Emulator, tmp_path: Path) -> None:
    gemini.script(JobScript(end="PAUSED"))
    ran = ask(tmp_path, retries=1)
    assert ran.state == "failed"
    first, again = ran.errors
    assert isinstance(first, LLMBatchJobError)
    assert "is paused. It was left alone" in str(first)
    assert isinstance(again, JobPaused)
    assert [job["state"] for job in gemini.jobs] == ["PAUSED"]


def test_output_that_comes_late_is_waited_for(emulator_of: Emulator, backend: str, tmp_path: Path) -> None:
    emulator_of.script(JobScript(late_output=2))
    ran = ask(tmp_path, model_id=MODELS[backend])
    assert ran.xcom["ask"]["counts"]["succeeded"] == 3


@BOTH_WAYS
@pytest.mark.parametrize("output_type", [Label, list[Tag], int], ids=str)
def test_answers_come_as_the_type(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool, output_type: Any
) -> None:
    ran = ask(tmp_path, deferrable=deferrable, model_id=MODELS[backend], output_type=output_type)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["succeeded"] == 3, rows(ran)


def test_an_answer_of_another_type_is_invalid_and_keeps_what_the_model_said(
    gemini: Emulator, tmp_path: Path
) -> None:
    gemini.script(JobScript(answers={1: '{"mood": "so so", "tags": []}', 2: "no JSON"}))
    found = rows(ask(tmp_path, output_type=Label))
    assert [found[index]["status"] for index in range(3)] == ["success", "invalid_output", "invalid_output"]
    assert json.loads(found[1]["raw_output"])["mood"] == "so so"
    assert found[2]["raw_output"] == "no JSON"


def test_a_task_may_be_mapped_and_its_connection_a_template(gemini: Emulator, tmp_path: Path) -> None:
    def prompts(city: str) -> list[str]:
        return [f"What is {city}?", f"Where is {city}?"]

    ran = run_dag(
        lambda: llm_batch(
            tmp_path, llm_conn_id="{{ params.conn }}", params={"conn": "genai_batch_default"}, deferrable=True
        )(prompts).expand(city=["Rome", "Oslo"])
    )
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 2
    assert len({job["display_name"].split()[-1][:16] for job in gemini.jobs}) == 2


def test_a_google_cloud_connection_means_vertex(
    vertex: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {**vertex.connection("vertex"), "conn_type": "google_cloud_platform"}
    fields["extra"] = {name: value for name, value in fields["extra"].items() if name != "backend"}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(fields))
    ran = ask(tmp_path, model_id=MODELS["vertex"], llm_conn_id="google", deferrable=True)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["batch_id"].endswith("@google")


@BOTH_WAYS
def test_uploaded_requests_go_with_their_job(
    emulator_of: Emulator, backend: str, tmp_path: Path, deferrable: bool
) -> None:
    assert ask(tmp_path, model_id=MODELS[backend], deferrable=deferrable).state == "success"
    tag = emulator_of.jobs[0]["display_name"].split()[-1]
    if backend == "gemini":
        assert uploaded(emulator_of) == []
    else:
        assert [*emulator_of.storage.list(f"gs://emulator-staging/genai-batch/{tag}.jsonl")] == []
