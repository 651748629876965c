"""Answers that are more, or less, than one whole text, through a task: all of each is landed or counted."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import ConfigurationError, TooManyFailedRows
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook, read_rows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL


class Named(BaseModel):
    """A type that half an answer is not of."""

    name: str


def ask(**settings: Any) -> Ran:
    settings = {"src": ["a", "b", "c"], "model": MODEL, "poll_interval": 0.05, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


def rows(path: Path) -> dict[int, dict[str, Any]]:
    return {row["index"]: row for row in map(json.loads, path.read_text().splitlines())}


def said(*parts: dict[str, Any], reason: Any = "STOP", **more: Any) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": [*parts]}, "finishReason": reason, **more}


FULL: dict[str, Any] = {
    "candidates": [
        said({"text": "no"}, reason="SAFETY", index=0, safetyRatings=[{"category": "C", "blocked": True}]),
        said(
            {"text": "Como", "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "1", "name": "f", "args": {"aB": [1, {"c": None}]}}},
            index=1,
            groundingMetadata={"groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}]},
            citationMetadata={"citations": [{"startIndex": 0, "endIndex": 4, "uri": "https://a"}]},
            logprobsResult={"chosenCandidates": [{"token": "Como", "tokenId": 7, "logProbability": -0.5}]},
        ),
    ],
    "usageMetadata": {
        "promptTokenCount": 3,
        "candidatesTokenCount": 2,
        "toolUsePromptTokenCount": 4,
        "totalTokenCount": 9,
    },
    "modelVersion": MODEL,
    "somethingNew": {"a": 1},
}


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_whole_answer_lands_and_is_read_back_and_the_rest_is_counted(
    gemini: Emulator, tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.script(JobScript(answers={1: FULL}))
    with caplog.at_level(logging.INFO):
        ran = ask(results_uri=str(tmp_path / f"rows.{form}"))
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["ask"]
    assert manifest["row_schema"] == 3
    assert manifest["finish_reasons"] == {"STOP": 3}
    assert manifest["dropped"]["somethingNew"] == 1
    assert manifest["usage"]["tool_use"] == 4
    assert sum("are not in the rows" in record.message for record in caplog.records) == 1
    row = next(row for row in read_rows(manifest) if row.index == 1)
    written = row.model_dump(mode="json")
    assert (written["text"], [one["text"] for one in written["candidates"]]) == ("Como", ["no", "Como"])
    assert written["parts"] == [
        {"candidate": 1, "part": 0, "thought_signature": "c2ln"},
        {
            "candidate": 1,
            "part": 1,
            "function_call": {"id": "1", "name": "f", "args": {"aB": [1, {"c": None}]}},
        },
    ]
    assert written["grounding"] == {"grounding_chunks": [{"web": {"uri": "https://a", "title": "A"}}]}
    assert written["citations"] == [{"start_index": 0, "end_index": 4, "uri": "https://a"}]
    assert written["logprobs"] == {
        "chosen_candidates": [{"token": "Como", "token_id": 7, "log_probability": -0.5}]
    }


def test_the_response_is_landed_where_it_is_kept_and_then_nothing_is_dropped(
    gemini: Emulator, tmp_path: Path
) -> None:
    gemini.script(JobScript(answers={1: FULL}))
    ran = ask(results_uri=str(tmp_path / "rows.jsonl"), keep="response")
    assert ran.xcom["ask"]["dropped"] == {}
    assert rows(tmp_path / "rows.jsonl")[1]["response"] == FULL
    names = ran.xcom["ask"]["job_names"]
    later = tmp_path / "later.jsonl"
    land = run_dag(
        lambda: GenAIBatchResultsOperator(
            task_id="land", job_names=names, results_uri=str(later), keep="response"
        )
    )
    assert land.xcom["land"]["dropped"] == {}
    assert rows(later)[1]["response"] == FULL
    manifest = {**ran.xcom["ask"], "results_uri": None, "results_digest": None}
    assert next(row for row in read_rows(manifest, keep="response") if row.index == 1).response == FULL


def test_an_answer_that_was_cut_off_is_asked_again_where_it_is_to_have_a_type(gemini: Emulator) -> None:
    whole = {"candidates": [said({"text": '{"name": "Como"}'})]}
    half = {"candidates": [said({"text": '{"name": "Como"}'}, reason="MAX_TOKENS")]}
    gemini.script(JobScript(answers={0: whole, 1: half, 2: whole}))
    ran = ask(output_type=Named, retry_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert [job["rows"]["total"] for job in gemini.jobs] == [3, 1]


@pytest.mark.parametrize(
    ("settings", "good"),
    [
        ({}, True),
        ({"truncated": "invalid"}, False),
        ({"request_defaults": {"response_schema": {"type": "STRING"}}}, False),
        ({"src": [*"ab", {"contents": "c", "config": {"response_schema": {"type": "STRING"}}}]}, False),
    ],
)
def test_text_that_was_cut_off_is_ok_unless_it_is_not_wanted(
    gemini: Emulator, settings: dict[str, Any], good: bool
) -> None:
    gemini.script(JobScript(finish_reasons={1: "MAX_TOKENS"}))
    ran = ask(**settings)
    if good:
        assert ran.xcom["ask"]["counts"]["ok"] == 3
        assert ran.xcom["ask"]["finish_reasons"] == {"STOP": 2, "MAX_TOKENS": 1}
        return
    (error,) = ran.errors
    assert isinstance(error, TooManyFailedRows)
    assert error.manifest is not None
    assert error.manifest["counts"]["invalid"] == 1
    assert "MAX_TOKENS" in str(error)


def test_a_reason_that_nobody_knows_is_invalid_and_named(gemini: Emulator) -> None:
    odd = "A\nNEW ONE"
    gemini.script(JobScript(finish_reasons={1: odd}))
    (error,) = ask().errors
    assert isinstance(error, TooManyFailedRows)
    assert error.manifest is not None
    assert error.manifest["finish_reasons"] == {"STOP": 2, "A\\nNEW ONE": 1}
    assert "A\\nNEW ONE" in str(error)


@pytest.mark.parametrize("setting", [{"keep": "all"}, {"keep": True}, {"truncated": None}, {"truncated": []}])
def test_words_that_are_none_are_refused_when_the_dag_is_parsed(setting: dict[str, Any]) -> None:
    (name,) = setting
    with pytest.raises(ConfigurationError, match=name):
        GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], **setting)
    with pytest.raises(ConfigurationError, match=name):
        GenAIBatchResultsOperator(
            task_id="land", job_names="batches/a", results_uri="/tmp/a.jsonl", **setting
        )


def test_the_client_gives_rows_with_the_whole_answer(gemini: Emulator) -> None:
    gemini.script(JobScript(answers={1: FULL}))
    ran = ask()
    with GenAIBatchHook().get_conn() as client:
        (name,) = ran.xcom["ask"]["job_names"]
        row = next(row for row in client.rows(name) if row.index == 1)
    assert row.candidates is not None
    assert [one.finish_reason for one in row.candidates] == ["SAFETY", "STOP"]


def test_columns_of_parquet_have_the_types_of_the_table_and_of_the_answers(
    gemini: Emulator, tmp_path: Path
) -> None:
    out = tmp_path / "rows.parquet"
    src = [{"id": 1, "lake": "Como"}, {"id": 2, "lake": "Garda"}]
    ran = ask(src=src, prompt="Describe {lake}.", output_type=Named, results_uri=str(out), ordered=True)
    assert ran.state == "success", ran.errors
    schema = pq.read_schema(out)
    assert str(schema.field("input").type) == "struct<id: int64, lake: string>"
    assert str(schema.field("output").type) == "struct<name: string>"
    landed = [*read_rows(ran.xcom["ask"])]
    assert [row.input for row in landed] == src
    assert [Named.model_validate(row.output) for row in landed] == [
        Named.model_validate_json(str(row.text)) for row in landed
    ]
