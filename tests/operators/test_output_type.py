"""Structured answers: asked for by a type, checked against it, and invalid rows keep what the model said."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, field_validator

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, TooManyFailedRows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL


class Label(BaseModel):
    """What a text is like."""

    mood: Literal["good", "bad"]
    tags: list[Tag]


class Tag(BaseModel):
    """One tag, referred to."""

    name: str


class Endless(BaseModel):
    """What there are no words for."""

    inner: Endless | None = None


class Grade(enum.IntEnum):
    """Numbers, which the services ask for as text."""

    GOOD = 1
    BAD = 5


class Graded(BaseModel):
    """With numbers inside."""

    grade: Grade
    pages: Literal[1, 2] | None


NAMES: dict[str, str] = {}
"""What the validator of `Named` knows."""


class Named(BaseModel):
    """With a validator that fails for what it does not know."""

    name: str

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        return NAMES[name]


def ask(**settings: Any) -> Ran:
    settings = {"src": ["a", "b", "c"], "model": MODEL, "poll_interval": 0.05, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
@pytest.mark.parametrize("backend", ["gemini", "vertex"])
def test_answers_come_as_the_type(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, deferrable: bool
) -> None:
    request.getfixturevalue(backend)
    out = tmp_path / "rows.jsonl"
    more = {"dest": "gs://emulator-staging/typed/"} if backend == "vertex" else {}
    ran = ask(output_type=Label, results_uri=str(out), deferrable=deferrable, **more)
    assert ran.state == "success", ran.errors
    for row in rows(out):
        assert Label.model_validate(row["output"]) == Label.model_validate_json(row["text"])


def test_the_schema_is_the_one_that_is_safe_on_batch_endpoints(gemini: Emulator) -> None:
    ask(output_type=Label)
    (sent,) = [r for r in gemini.requests if r["method"] == "batches.create"]
    first = sent["body"]["batch"]["inputConfig"]["requests"]["requests"][0]
    config = first["request"]["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert "responseJsonSchema" not in config
    assert "$ref" not in json.dumps(config["responseSchema"])
    assert config["responseSchema"]["properties"]["mood"]["enum"] == ["good", "bad"]


def test_an_answer_of_another_type_is_invalid_and_keeps_what_the_model_said(
    gemini: Emulator, tmp_path: Path
) -> None:
    gemini.script(JobScript(answers={1: '{"mood": "so so", "tags": []}', 2: "no JSON"}))
    out = tmp_path / "rows.jsonl"
    ran = ask(output_type=Label, results_uri=str(out))
    (error,) = ran.errors
    assert isinstance(error, TooManyFailedRows)
    assert error.manifest is not None
    assert error.manifest["counts"]["invalid"] == 2
    found = {row["index"]: row for row in rows(out)}
    assert found[0]["status"] == "ok"
    assert (found[1]["status"], found[1]["text"]) == ("invalid", '{"mood": "so so", "tags": []}')
    assert "mood" in found[1]["error"]["message"]
    assert (found[2]["status"], found[2]["text"]) == ("invalid", "no JSON")


def test_a_further_round_asks_invalid_answers_again(gemini: Emulator) -> None:
    gemini.script(JobScript(answers={1: "no JSON"}))
    ran = ask(output_type=Label, retry_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert [job["rows"]["total"] for job in gemini.jobs] == [3, 1]


def test_plain_types_are_types_too(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert ask(output_type=list[int], results_uri=str(out)).state == "success"
    assert all(isinstance(number, int) for row in rows(out) for number in row["output"])


@pytest.mark.parametrize("backend", ["gemini", "vertex"])
def test_numbers_that_were_asked_for_as_text_are_numbers_in_the_rows(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str
) -> None:
    service = request.getfixturevalue(backend)
    service.script(JobScript(answers={1: '{"grade": "5", "pages": "2"}', 2: '{"grade": 1, "pages": null}'}))
    out = tmp_path / "rows.jsonl"
    more = {"dest": "gs://emulator-staging/graded/"} if backend == "vertex" else {}
    ran = ask(output_type=Graded, results_uri=str(out), **more)
    assert ran.state == "success", ran.errors
    found = {row["index"]: row["output"] for row in rows(out)}
    assert found[0]["grade"] in (1, 5)
    assert found[1] == {"grade": 5, "pages": 2}
    assert found[2] == {"grade": 1, "pages": None}


def test_answers_to_response_json_schema_are_checked_after_a_warning(
    gemini: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    gemini.script(JobScript(answers={0: '{"n": 5}', 1: '{"n": "five"}', 2: '{"n": 5'}))
    out = tmp_path / "rows.jsonl"
    asked = {"response_json_schema": schema, "response_mime_type": "application/json"}
    ran = ask(request_defaults=asked, results_uri=str(out), max_failed_rows=2)
    assert ran.state == "success", ran.errors
    assert "answered response_json_schema badly" in caplog.text
    found = {row["index"]: row for row in rows(out)}
    assert (found[0]["status"], found[0]["output"]) == ("ok", {"n": 5})
    assert (found[1]["status"], found[2]["status"]) == ("invalid", "invalid")
    assert found[1]["error"]["message"].startswith("n: ")


@pytest.mark.parametrize("door", ["list", "file"])
def test_a_schema_of_a_single_request_is_sent_after_a_warning_that_names_it(
    door: str, gemini: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = {"responseJsonSchema": {"type": "object"}, "responseMimeType": "application/json"}
    contents = [{"role": "user", "parts": [{"text": "How much?"}]}]
    asked = [
        {"key": "plain", "request": {"contents": contents}},
        *(
            {"key": f"own{n}", "request": {"contents": contents, "generationConfig": config}}
            for n in range(3)
        ),
    ]
    source: Any = asked
    if door == "file":
        source = tmp_path / "in.jsonl"
        source.write_text("".join(f"{json.dumps(one)}\n" for one in asked))
    ran = ask(src=source)
    assert ran.state == "success", ran.errors
    (said,) = [record.getMessage() for record in caplog.records if "response_json_schema" in record.message]
    assert said.startswith("request 2 has" if door == "list" else "line 2 of ")
    assert "are not checked" in said


def test_an_input_that_goes_as_it_is_has_its_answers_checked(vertex: Emulator, cloud_storage: Any) -> None:
    uri = "gs://emulator-staging/typed-own/in.jsonl"
    line = {"key": "k", "request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}}
    cloud_storage.write(uri, [json.dumps(line).encode() + b"\n"])
    ran = ask(src=uri, dest="gs://emulator-staging/typed-own/out/", output_type=Label)
    assert isinstance(ran.errors[0], TooManyFailedRows)


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        ({"output_type": object()}, InputError, "output_type"),
        ({"output_type": {"type": "object"}}, InputError, "goes into request_defaults, as response_schema"),
        ({"output_type": "Label"}, InputError, "Give the type itself, not its name"),
        ({"output_type": Endless}, InputError, "output_type: Endless holds itself, at inner"),
        ({"output_type": dict[str, int]}, InputError, "exists only on Vertex AI"),
        (
            {
                "output_type": Label,
                "src": ["a", {"contents": "b", "config": {"response_schema": {"type": "STRING"}}}],
            },
            InputError,
            "request 2: responseSchema of the request contradicts output_type",
        ),
        (
            {"request_defaults": {"response_json_schema": {"type": "strnig"}}},
            InputError,
            "response_json_schema is not a valid JSON Schema",
        ),
        (
            {"output_type": Label, "request_defaults": {"response_schema": {"type": "STRING"}}},
            ConfigurationError,
            "given twice",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_paid(
    gemini: Emulator, settings: dict[str, Any], kind: type[Exception], said: str
) -> None:
    (error,) = ask(**settings).errors
    assert isinstance(error, kind)
    assert said in str(error)
    assert gemini.jobs == []


@pytest.mark.parametrize("tier", ["batch", "standard"])
def test_once_code_of_the_type_that_failed_is_mended_the_same_answers_are_read(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: str
) -> None:
    class All(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return name

    def mend(context: Any) -> None:
        failed.append(str(context["exception"]))
        monkeypatch.setitem(globals(), "NAMES", All())

    failed: list[str] = []
    path, retry = tmp_path / "rows.jsonl", {"retries": 1, "retry_delay": 0, "on_retry_callback": mend}
    ran = ask(output_type=Named, tier=tier, results_uri=str(path), **retry)
    assert ran.state == "success", ran.errors
    assert "failed on an answer with KeyError" in failed[0]
    assert "the row 'r0000000" in failed[0]
    assert "Nothing was submitted" not in failed[0]
    assert [row["status"] for row in rows(path)] == ["ok"] * 3
    methods = [one["method"] for one in gemini.requests]
    assert methods.count("batches.create") == (tier == "batch")
    assert methods.count("models.generateContent") == 3 * (tier == "standard")
