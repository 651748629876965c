"""Versions of what a task asks with follow from its parameters, and stand wherever its rows are traced from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.serde import Serde
from pydantic import BaseModel

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.task.settings.versions import versions_of
from airflow_provider_genai_batch.wire.parameters.labels import with_more
from tests.dags import run_dag
from tests.operators.scenes import MODEL

SECRET = "the secret sauce"
PROMPT = f"{SECRET}: {{text}}"


class Verdict(BaseModel):
    good: bool


def found(**given: Any) -> dict[str, str]:
    versions = versions_of(RunSettings(conn_id="any", model=MODEL, source=list, **given))
    return {} if versions is None else versions.model_dump()


def test_each_parameter_that_decides_answers_has_a_version_of_its_own() -> None:
    told: dict[str, Any] = {
        "prompt": PROMPT,
        "prompt_name": "verdicts-v3",
        "output_type": Verdict,
        "request_defaults": {"system_instruction": SECRET, "temperature": 0.2},
    }
    whole = found(**told)
    assert whole.keys() == {
        "prompt_name",
        "prompt",
        "response_schema_name",
        "response_schema",
        "request_defaults",
    }
    assert whole["response_schema_name"] == f"{__name__}.Verdict"
    assert SECRET not in str(whole)
    changes: dict[str, tuple[Any, set[str]]] = {
        "prompt": (["Look:", {"text": "{text}"}], {"prompt"}),
        "prompt_name": ("verdicts-v4", {"prompt_name"}),
        "output_type": (list[str], {"response_schema", "response_schema_name"}),
        "request_defaults": ({"system_instruction": SECRET, "temperature": 0.3}, {"request_defaults"}),
    }
    for name, (value, other) in changes.items():
        now = found(**{**told, name: value})
        assert {field for field in whole if now[field] != whole[field]} == other, name
    assert found(**told) == whole
    assert found(**{**told, "request_defaults": {"systemInstruction": SECRET, "temperature": 0.2}}) == whole


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ({}, set()),
        ({"prompt_name": "by hand"}, {"prompt_name"}),
        (
            {"request_defaults": {"generation_config": {"response_schema": {"type": "STRING"}, "top_k": 3}}},
            {"response_schema", "request_defaults"},
        ),
        (
            {"request_defaults": {"response_schema": Verdict}},
            {"response_schema", "response_schema_name"},
        ),
        ({"output_type": "good BOOL"}, {"response_schema"}),
        ({"output_type": dict[str, int]}, {"response_schema", "response_schema_name"}),
        ({"request_defaults": {"response_json_schema": {"type": "string"}}}, {"response_schema"}),
        ({"request_defaults": {"tools": [print]}}, set()),
        ({"request_defaults": {"a_b": 1, "aB": 2}}, set()),
    ],
)
def test_what_is_not_known_is_left_out(given: dict[str, Any], known: set[str]) -> None:
    assert found(**given).keys() == known


def test_a_job_has_them_as_labels_as_far_as_there_is_room() -> None:
    versions = versions_of(
        RunSettings(conn_id="any", model=MODEL, source=list, prompt=PROMPT, prompt_name="Réponses, v3!" * 9)
    )
    assert versions is not None
    labels = versions.labels()
    assert labels["genai_batch_prompt"] == f"p{versions.prompt}"
    assert set(labels["genai_batch_prompt_name"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert len(labels["genai_batch_prompt_name"]) <= 63
    given = {f"label-{number}": "x" for number in range(57)}
    assert with_more(given, labels) == {**given, "genai_batch_prompt": labels["genai_batch_prompt"]}
    assert len(with_more({f"label-{number}": "x" for number in range(58)}, labels)) == 58


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_manifest_lineage_and_job_agree_and_have_no_text(
    vertex: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    table = tmp_path / "in.csv"
    table.write_text("text\none\ntwo\n")
    how: dict[str, Any] = {
        "model": MODEL,
        "src": str(table),
        "prompt": PROMPT,
        "prompt_name": "verdicts-{{ 1 + 2 }}",
        "dest": "gs://emulator-staging/versions/",
        "request_defaults": {"system_instruction": SECRET},
        "results_uri": str(tmp_path / "rows.jsonl"),
        "poll_interval": 0.05,
        "deferrable": deferrable,
    }
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", **how))
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["ask"]
    versions = manifest["versions"]
    assert versions["prompt_name"] == "verdicts-3"
    (job,) = vertex.jobs
    assert job["labels"]["genai_batch_prompt"] == f"p{versions['prompt']}"
    assert job["labels"]["genai_batch_prompt_name"] == "verdicts-3"
    task = GenAIBatchOperator(task_id="ask", **{**how, "prompt_name": "verdicts-3"})
    begun = task.get_openlineage_facets_on_start().run_facets["genaiBatch"]
    task.outcome = manifest
    ended = task.get_openlineage_facets_on_complete(None).run_facets["genaiBatch"]
    landing = GenAIBatchResultsOperator(task_id="land", job_names=manifest, results_uri="/tmp/rows.jsonl")
    landed = landing.get_openlineage_facets_on_start().run_facets["genaiBatch"]
    assert begun.versions == ended.versions == landed.versions == versions
    said = json.dumps([manifest, job["labels"]]) + Serde.to_json(ended)
    assert SECRET not in said


def test_a_plan_and_a_task_that_does_not_wait_say_them_too(gemini: Emulator, tmp_path: Path) -> None:
    rows = [{"text": "one"}]
    for how in ({"plan_only": True}, {"wait": False}):
        ran = run_dag(
            lambda how=how: GenAIBatchOperator(task_id="ask", model=MODEL, src=rows, prompt=PROMPT, **how)
        )
        assert ran.state == "success", ran.errors
        assert ran.xcom["ask"]["versions"].keys() == {"prompt"}
