"""Inputs that change, move or cannot be read any more between the submission and the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import InputError, ServerError, TooManyFailedRows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import after_submit, die_before_wait
from tests.operators.scenes import MODEL, PROMPTS, client, lines


def ask(kind: type[GenAIBatchOperator] = GenAIBatchOperator, **settings: Any) -> Ran:
    return run_dag(
        lambda: kind(task_id="ask", **{"model": MODEL, "poll_interval": 0.05, "retry_delay": 0, **settings})
    )


KEYS = ("alpha", "beta", "gamma")
"""Keys that need no mark on Vertex AI, so that an object that has them is used where it is."""


def staged(folder: Path) -> str:
    """Upload requests; returns the directory."""
    (folder / "in.jsonl").write_bytes(lines().replace(b"0042", b"beta"))
    prefix = f"gs://emulator-staging/{uuid4().hex}"
    with client() as service:
        service.upload(folder / "in.jsonl", f"{prefix}/in.jsonl")
    return prefix


def landed(path: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["key"]: row["status"] for row in rows}


def test_a_missing_row_of_an_object_in_place_is_named_and_the_others_stay(
    vertex: Emulator, tmp_path: Path
) -> None:
    prefix, out = staged(tmp_path), tmp_path / "rows.jsonl"
    vertex.script(JobScript(missing=["alpha"]))
    ran = ask(src=f"{prefix}/in.jsonl", results_uri=str(out), max_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert landed(out) == {**dict.fromkeys(KEYS, "ok"), "alpha": "missing"}


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_an_input_overwritten_meanwhile_loses_no_row(
    gemini: Emulator, tmp_path: Path, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "rows.jsonl"
    path.write_bytes(lines())
    gemini.script(JobScript(missing=["alpha"]))
    tomorrow = lines().replace(b'"key": "', b'"key": "tomorrow-')
    after_submit(monkeypatch, lambda _: path.write_bytes(tomorrow) and None)
    ran = ask(
        GenAIBatchOperator, src=str(path), results_uri=str(out), max_failed_rows=1, deferrable=deferrable
    )
    assert ran.state == "success", ran.errors
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    lost = "" if deferrable else "alpha"  # in place, what was read is still at hand
    assert {(row["key"] or "", row["status"]) for row in rows} == {
        (lost, "missing"),
        ("0042", "ok"),
        ("gamma", "ok"),
    }


def test_requests_that_can_be_read_only_once_lose_no_row(gemini: Emulator, tmp_path: Path) -> None:
    def once() -> Iterator[dict[str, Any]]:
        for key, text in PROMPTS.items():
            yield {"key": key, "contents": text}

    class FromGenerator(GenAIBatchOperator):
        def pre_execute(self, context: Any) -> None:  # noqa: ARG002 - Airflow's signature
            self.src = once()

    out = tmp_path / "rows.jsonl"
    gemini.script(JobScript(missing=["alpha"]))
    ran = ask(FromGenerator, src=["replaced"], results_uri=str(out), max_failed_rows=1, deferrable=False)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["missing"] == 1


def test_a_pattern_does_not_match_what_a_job_wrote_below_it(vertex: Emulator, tmp_path: Path) -> None:
    prefix = staged(tmp_path)
    vertex.script(JobScript(row_errors={"alpha": 13}))
    ran = ask(src=f"{prefix}/*.jsonl", dest=f"{prefix}/out/", retries=1)
    assert ran.tries["ask"] == 2
    assert [type(error) for error in ran.errors] == [TooManyFailedRows]
    assert [job["rows"]["total"] for job in vertex.jobs] == [len(PROMPTS), 1]  # of the failed row alone


def test_what_a_pattern_matches_is_what_is_submitted(vertex: Emulator, tmp_path: Path) -> None:
    prefix = staged(tmp_path)
    ran = ask(src=f"{prefix}/*.jsonl", dest=f"{prefix}/out/")
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["source"] == f"{prefix}/in.jsonl"


def test_a_pattern_needs_a_destination_of_its_own(vertex: Emulator, tmp_path: Path) -> None:
    ran = ask(src=f"{staged(tmp_path)}/*.jsonl")
    (error,) = ran.errors
    assert isinstance(error, InputError)
    assert "dest" in str(error)
    assert vertex.jobs == []


def test_an_input_that_cannot_be_read_for_now_makes_no_second_job(
    vertex: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = staged(tmp_path)
    tries: list[int] = []
    troubles: list[int] = []
    download = GenAIBatchClient.download

    def troubled(self: GenAIBatchClient, address: str) -> Iterator[bytes]:
        if len(tries) == 2 and len(troubles) < 2:
            troubles.append(1)
            msg = "storage has trouble"
            raise ServerError(msg, code=503)
        yield from download(self, address)

    class CountsTries(GenAIBatchOperator):
        def execute(self, context: Any) -> Any:
            tries.append(1)
            return super().execute(context)

    die_before_wait(monkeypatch)
    monkeypatch.setattr(GenAIBatchClient, "download", troubled)
    ran = ask(CountsTries, src=f"{prefix}/in.jsonl", retries=2)
    assert ran.state == "success", ran.errors
    assert ran.tries["ask"] == 2
    assert len(troubles) == 2
    assert len(vertex.jobs) == 1
