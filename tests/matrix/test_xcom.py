"""Requests and rows go through XComs of the Airflow at hand, and paths are taken wherever addresses are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath, task

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.hooks.genai_batch import read_rows
from airflow_provider_genai_batch.models import BatchRequest, ResultRow
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from tests.dags import run_dag
from tests.operators.scenes import MODEL, lines


def test_requests_and_rows_are_pushed_and_pulled_as_they_are(gemini: Emulator) -> None:
    made = [
        BatchRequest(contents="One", key="a", config={"temperature": 0.5}),
        BatchRequest(contents=[{"role": "user", "parts": [{"text": "Two"}]}], key="b"),
        BatchRequest(contents=["Three"], key="c"),
    ]
    part = {"functionCall": {"name": "f", "args": {"aB": 1}}, "thoughtSignature": "c2ln"}
    answers = [{"content": {"parts": parts}, "finishReason": "STOP"} for parts in ([{"text": "x"}], [part])]
    gemini.script(JobScript(answers={"b": {"candidates": answers}}))
    seen: dict[str, list[Any]] = {}

    @task
    def make() -> list[BatchRequest]:
        return made

    @task
    def look(requests: Any) -> None:
        seen["requests"] = [*requests]

    @task
    def rows(manifest: Any) -> list[ResultRow]:
        seen["rows"] = [*read_rows(manifest)]
        return seen["rows"]

    @task
    def keep(rows: Any) -> None:
        seen["pulled"] = [*rows]

    def fill() -> None:
        requests = make()
        look(requests)
        asked = GenAIBatchOperator(task_id="ask", model=MODEL, src=requests, poll_interval=0.05)
        keep(rows(asked.output))

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    assert [type(one) for one in seen["requests"]] == [BatchRequest] * 3
    assert seen["requests"] == made
    assert seen["pulled"] == seen["rows"]
    assert {row.key for row in seen["pulled"]} == {"a", "b", "c"}
    assert all(isinstance(row, ResultRow) for row in seen["pulled"])
    whole = next(row for row in seen["pulled"] if row.key == "b")
    assert (len(whole.candidates), whole.parts[0].thought_signature) == (2, "c2ln")


@pytest.mark.parametrize(
    "kind", [Path, lambda path: ObjectStoragePath(f"file://{path}")], ids=["Path", "ObjectStoragePath"]
)
def test_paths_are_taken_for_addresses(gemini: Emulator, tmp_path: Path, kind: Any) -> None:
    (tmp_path / "in-1.jsonl").write_bytes(lines())
    out, again = tmp_path / "rows-1.jsonl", tmp_path / "again.jsonl"

    def fill() -> None:
        asked = GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=kind(tmp_path / "in-{{ 1 }}.jsonl"),
            results_uri=kind(tmp_path / "rows-{{ 1 }}.jsonl"),
            poll_interval=0.05,
        )
        GenAIBatchResultsOperator(task_id="land", job_names=asked.output, results_uri=kind(again))

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 3
    for landed in (out, again):
        assert len([json.loads(line) for line in landed.read_text().splitlines()]) == 3


def test_paths_in_cloud_storage_are_taken_for_addresses(vertex: Emulator, tmp_path: Path) -> None:
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=["a"],
            dest={"gcs_uri": ObjectStoragePath("gs://emulator-staging/paths/")},
            results_uri=ObjectStoragePath("gs://emulator-staging/rows.jsonl"),
            poll_interval=0.05,
        )
    )
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["results_uri"] == "gs://emulator-staging/rows.jsonl"


def test_a_path_of_pythons_that_was_made_of_a_uri_is_refused() -> None:
    with pytest.raises(InputError, match="folded its slashes"):
        GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], results_uri=Path("gs://bucket/rows.jsonl"))
