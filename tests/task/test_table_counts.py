"""Rows in BigQuery: judged as Python judges them, and counted by status and cause."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.models import RowCounts
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.counting.unread_rows import count_by_result
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields
from airflow_provider_genai_batch.wire.tables.answers import Answers, counts, measured
from airflow_provider_genai_batch.wire.tables.sql import read_table
from tests.operators.scenes import client
from tests.task.test_table_reuse import TEXTS, ask, emulator_settings, texts
from tests.task.test_table_reuse import counts as counted

__all__ = ["emulator_settings", "texts"]


def test_a_status_of_few_rows_counts_beside_thousands_of_causes_of_another(vertex: Emulator) -> None:
    name = f"{vertex.bigquery.project}.tests.t{uuid4().hex}"
    failed = [{"row_status": "error", "row_error": f"no file {number // 2}"} for number in range(2002)]
    others = [{"row_status": status, "row_error": None} for status in ("ok", "missing")]
    columns = [("row_status", "STRING"), ("row_error", "STRING")]
    vertex.bigquery.create_and_insert(name, columns, failed + others)
    with client() as service:
        table = read_table(f"bq://{name}", "results_uri")
        found = service.queries.ask(counts(table), service.queries.location_of(table.place), {})
    counter = RowCounter(expected=None)
    count_by_result(counter, found, {})
    assert counter.counts == RowCounts(total=2004, ok=1, error=2002, missing=1)


STOPPED = {"content": {"parts": [{"text": "good"}], "role": "model"}, "finishReason": "STOP"}
THOUGHT = {"text": "hm", "thought": True}
ROWS: dict[str, tuple[str | None, dict[str, Any] | None]] = {
    "an answer": ("", {"candidates": [STOPPED]}),
    "an answer without a status": (None, {"candidates": [STOPPED]}),
    "an answer with a blank status": (" ", {"candidates": [STOPPED]}),
    "no reason": ("", {"candidates": [{"content": STOPPED["content"]}]}),
    "a reason that is null": ("", {"candidates": [{**STOPPED, "finishReason": None}]}),
    "cut off": ("", {"candidates": [{**STOPPED, "finishReason": "MAX_TOKENS"}]}),
    "filtered": ("", {"candidates": [{**STOPPED, "finishReason": "SAFETY"}]}),
    "an unknown reason": ("", {"candidates": [{**STOPPED, "finishReason": "NEVER_HEARD"}]}),
    "no candidate": ("", {"candidates": [], "modelVersion": "m"}),
    "a blocked prompt": ("", {"promptFeedback": {"blockReason": "SAFETY"}}),
    "no parts": ("", {"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]}),
    "a thought alone": ("", {"candidates": [{"content": {"parts": [THOUGHT]}, "finishReason": "STOP"}]}),
    "a thought and text": (
        "",
        {
            "candidates": [
                {"content": {"parts": [THOUGHT, {"text": "a"}, {"text": "b"}]}, "finishReason": "STOP"}
            ]
        },
    ),
    "refused": ('Bad Request: {"error": {"code": 400, "message": "m"}}', {}),
    "refused, with an answer": ("Internal error", {"candidates": [STOPPED]}),
}
NO_ANSWERS: dict[str, Any] = {"nothing": None, "an empty object": {}, "an empty text": ""}


@pytest.mark.parametrize(("kind", "cut_off_is_good"), [("STRING", True), ("JSON", False)])
def test_sql_judges_answers_as_python_does(vertex: Emulator, kind: str, cut_off_is_good: bool) -> None:
    name = f"{vertex.bigquery.project}.tests.t{uuid4().hex}"
    given = {**ROWS, **{key: ("", response) for key, response in NO_ANSWERS.items()}}
    rows = [
        {
            "key": key,
            "status": status,
            "response": response if kind == "JSON" or response is None else json.dumps(response),
            "processed_time": "2026-01-02T03:04:05+00:00",
        }
        for key, (status, response) in given.items()
    ]
    columns = [(one, "STRING") for one in ("key", "status", "processed_time")]
    vertex.bigquery.create_and_insert(name, [*columns, ("response", kind)], rows)
    with client() as service:
        table = read_table(f"bq://{name}", "results_uri")
        answers = Answers([(table, kind == "STRING")], None, cut_off_is_good)
        location = service.queries.location_of(table.place)
        found = {row[0]: row[1] for row in service.queries.stream(measured([table], answers), location, {})}
    reading = Reading(cut_off_is_good=cut_off_is_good)
    wanted = {
        key: read_fields({"key": key, "status": status, "response": response}, Backend.VERTEX, reading)[
            "status"
        ]
        for key, (status, response) in ROWS.items()
    }
    assert found == {**wanted, **dict.fromkeys(NO_ANSWERS, "missing")}


def test_a_prompt_and_a_key_may_write_columns_in_capitals(vertex: Emulator, texts: str) -> None:
    manifest = ask(texts, key="ID", prompt="Classify: {TEXT}", reuse=None)
    assert counted(manifest) == {"total": 4, "ok": 4}
    rows = sorted((row["id"], row["text"], row["answer"]) for row in vertex.bigquery.rows(f"{texts}_out"))
    assert rows == [(number, text, f"Answer to: Classify: {text}") for number, text in TEXTS.items()]
