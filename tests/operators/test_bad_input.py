"""Bad input is refused by name, with what to do, before anything is created."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch import exceptions
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from tests.dags import run_dag
from tests.operators.scenes import MODEL, SCENES, client

ASK = '{"contents": [{"parts": [{"text": "hi"}]}]}'
GOOD = f'{{"key": "a", "request": {ASK}}}\n'

CASES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no such file": ({"src": "/no/such/file.jsonl"}, exceptions.InputError, "cannot be read: No such file"),
    "an empty list": ({"src": []}, exceptions.InputError, "src is empty"),
    "a scheme nobody reads": ({"src": "https://example.com/x.jsonl"}, exceptions.InputError, "scheme https"),
    "a prompt as src": ({"src": "What is the capital of France?"}, exceptions.InputError, "goes into a list"),
    "gs:// on the Gemini API": ({"src": "gs://b/in.jsonl"}, exceptions.UnsupportedError, "backend vertex"),
    "bq:// on the Gemini API": ({"src": "bq://p.d.t"}, exceptions.UnsupportedError, "backend vertex"),
    "dest on the Gemini API": (
        {"src": ["a"], "dest": "gs://b/out/"},
        exceptions.UnsupportedError,
        "results_uri",
    ),
    "a field that does not exist": (
        {"src": [{"contents": "a", "config": {"temprature": 1}}]},
        exceptions.RequestError,
        "temprature",
    ),
    "the same key twice": (
        {"src": [{"key": "k", "contents": "a"}, {"key": "k", "contents": "b"}]},
        exceptions.RequestError,
        "request 2",
    ),
    "more than 20 MiB inline": ({"src": ["x" * (21 << 20)]}, exceptions.InputError, "20971520"),
    "display_name given twice": (
        {"src": ["a"], "display_name": "x", "config": {"display_name": "y"}},
        exceptions.ConfigurationError,
        "display_name is given twice",
    ),
    "defaults for a file that is uploaded already": (
        {"src": "files/abc", "request_defaults": {"temperature": 0}},
        exceptions.UnsupportedError,
        "request_defaults",
    ),
    "defaults with a field that does not exist": (
        {"src": ["a"], "request_defaults": {"temprature": 0}},
        exceptions.RequestError,
        "request_defaults: unknown field 'temprature'",
    ),
    "defaults that are no fields": (
        {"src": ["a"], "request_defaults": "Be brief."},
        exceptions.RequestError,
        "request_defaults: it is of type str",
    ),
    "defaults that the model takes none of": (
        {"src": ["a"], "model": "gemini-embedding-001", "request_defaults": {"temperature": 0}},
        exceptions.RequestError,
        "request_defaults: unknown field 'temperature'",
    ),
    "a publisher's model on the Gemini API": (
        {"src": ["a"], "model": "publishers/google/models/gemini-2.5-flash"},
        exceptions.ConfigurationError,
        "give model='gemini-2.5-flash'",
    ),
    "a project's model on the Gemini API": (
        {"src": ["a"], "model": "projects/p/locations/l/models/1"},
        exceptions.ConfigurationError,
        'set "project" in the connection',
    ),
    "a name that leads to another model": (
        {"src": ["a"], "model": "gemini-2.5-flash/../gemini-2.5-pro"},
        exceptions.InputError,
        "is not the name of a model",
    ),
    "a results_uri without a format": (
        {"src": ["a"], "results_uri": "/tmp/out"},
        exceptions.InputError,
        ".jsonl",
    ),
    "a pending_timeout in words": (
        {"src": ["a"], "pending_timeout": "an hour"},
        exceptions.ConfigurationError,
        "pending_timeout is 'an hour'",
    ),
    "a timeout of nothing": ({"src": ["a"], "timeout": 0}, exceptions.ConfigurationError, "timeout is 0"),
    "more than all rows may fail": (
        {"src": ["a"], "max_failed_rows": 1.5},
        exceptions.ConfigurationError,
        "max_failed_rows is 1.5",
    ),
    "a count of rows that may fail with a point in it": (
        {"src": ["a"], "max_failed_rows": 5.0},
        exceptions.ConfigurationError,
        "max_failed_rows is 5.0; give a count (int) or a fraction of all rows (float up to 1.0). Write 5",
    ),
    "no number of further rounds": (
        {"src": ["a"], "retry_failed_rows": None},
        exceptions.ConfigurationError,
        "retry_failed_rows is None",
    ),
    "no number of jobs at a time": (
        {"src": ["a"], "max_active_jobs": None},
        exceptions.ConfigurationError,
        "max_active_jobs is None",
    ),
    "no time between looks": (
        {"src": ["a"], "poll_interval": None},
        exceptions.ConfigurationError,
        "poll_interval is None",
    ),
    "a word where yes or no is asked": (
        {"src": ["a"], "reattach": "false"},
        exceptions.ConfigurationError,
        "reattach is 'false'; give True or False.",
    ),
    "a display_name that is no string": (
        {"src": ["a"], "display_name": 7},
        exceptions.ConfigurationError,
        "display_name is 7",
    ),
    "rows to be landed by a task that does not wait": (
        {"src": ["a"], "wait": False, "results_uri": "/tmp/rows.jsonl"},
        exceptions.ConfigurationError,
        "GenAIBatchResultsOperator",
    ),
    "an on_timeout that is none": (
        {"src": ["a"], "on_timeout": "explode"},
        exceptions.ConfigurationError,
        "on_timeout",
    ),
}


def refusal(**arguments: Any) -> BaseException:
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", **{"model": "gemini-2.5-flash", "poll_interval": 0.05, **arguments}
        )
    )
    assert ran.state == "failed"
    (error,) = ran.errors
    return error


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_before_anything_is_created(gemini: Emulator, case: str) -> None:
    arguments, kind, words = CASES[case]
    error = refusal(**arguments)
    assert isinstance(error, kind)
    assert words in str(error)
    assert gemini.jobs == []
    assert not [r for r in gemini.requests if r["method"] == "batches.create"]


LINES = {
    "not JSON": ("{oops\n", "line 2"),
    "another service's line": ('{"custom_id": "x", "body": {}}\n', "custom_id"),
    "config in a line": ('{"key": "x", "request": {"contents": []}, "config": {}}\n', "config"),
    "a key that was there before": (GOOD, "line 2"),
    "an empty object": ("{}\n", "line 2"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_bad_line_is_named_by_its_number(gemini: Emulator, tmp_path: Path, case: str) -> None:
    line, words = LINES[case]
    path = tmp_path / "in.jsonl"
    path.write_text(GOOD + line)
    error = refusal(src=str(path))
    assert isinstance(error, exceptions.RequestError)
    assert "line 2" in str(error)
    assert words in str(error)
    assert gemini.requests == []


def test_a_mistake_in_the_defaults_is_not_one_of_the_file(gemini: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "good.jsonl"
    path.write_text(GOOD)
    error = refusal(src=str(path), request_defaults={"system_instruction": "Be brief.", "topK": 3, "topJ": 1})
    assert isinstance(error, exceptions.RequestError)
    assert str(error).startswith("request_defaults: unknown field 'topJ'")
    assert "good.jsonl" not in str(error)
    assert gemini.requests == []


def test_an_unknown_model_is_the_404_of_the_create(gemini: Emulator) -> None:
    error = refusal(src=["a"], model="gemini-no-such-model")
    assert isinstance(error, exceptions.NotFound)
    assert gemini.jobs == []


def test_a_bad_key_is_an_authentication_error_although_the_service_says_400(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {**gemini.connection("gemini"), "password": "bad-key"}
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(connection))
    error = refusal(src=["a"])
    assert isinstance(error, exceptions.AuthenticationError)
    assert "bad-key" not in str(error)


def test_a_name_that_leads_to_another_model_creates_nothing_by_the_client_either(gemini: Emulator) -> None:
    with client() as service, pytest.raises(exceptions.InputError, match="is not the name of a model"):
        service.create("gemini-2.5-flash/../gemini-2.5-pro", ["a"])
    assert gemini.requests == []


def connection_refusal(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], **arguments: Any
) -> BaseException:
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(connection))
    return refusal(**arguments)


def test_vertex_without_a_project_is_refused(gemini: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "genai_batch", "host": gemini.url, "extra": {"backend": "vertex"}}
    error = connection_refusal(monkeypatch, connection, src="gs://b/in.jsonl")
    assert isinstance(error, exceptions.ConfigurationError)
    assert '"project"' in str(error)
    assert gemini.requests == []


def test_vertex_without_a_staging_place_is_refused(vertex: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = vertex.connection("vertex")
    connection["extra"] = {
        name: value for name, value in connection["extra"].items() if name != "staging_uri"
    }
    error = connection_refusal(monkeypatch, connection, src=["a"])
    assert isinstance(error, (exceptions.ConfigurationError, exceptions.InputError))
    assert "dest" in str(error)
    assert vertex.jobs == []


VERTEX_CASES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "files/ on Vertex AI": ({"src": "files/abc"}, exceptions.UnsupportedError, "backend gemini"),
    "a webhook on Vertex AI": (
        {"src": "gs://emulator-staging/x.jsonl", "webhook": "https://example.com/hook"},
        exceptions.UnsupportedError,
        "webhook",
    ),
    "an object that does not exist": (
        {"src": "gs://emulator-staging/no-such-object.jsonl"},
        exceptions.InputError,
        "does not exist",
    ),
    "rows of BigQuery asked into a file": (
        {"src": "bq://p.d.t", "results_uri": "/tmp/rows.jsonl"},
        exceptions.UnsupportedError,
        "results_uri",
    ),
    "defaults the importer does not take": (
        {"src": ["a"], "request_defaults": {"response_json_schema": {"$defs": {"a": 1}}}},
        exceptions.RequestError,
        "request_defaults: the name '$defs'",
    ),
    "a name the importer does not take": (
        {
            "src": [
                {
                    "contents": [{"parts": [{"text": "a"}]}],
                    "generationConfig": {"responseJsonSchema": {"$defs": {}}},
                }
            ],
            "dest": "gs://emulator-staging/out/",
        },
        exceptions.RequestError,
        "$defs",
    ),
}


@pytest.mark.parametrize("case", VERTEX_CASES)
def test_bad_input_for_vertex_is_refused_before_anything_is_created(vertex: Emulator, case: str) -> None:
    arguments, kind, words = VERTEX_CASES[case]
    error = refusal(**arguments)
    assert isinstance(error, kind)
    assert words in str(error)
    assert vertex.jobs == []


@pytest.mark.parametrize(
    "unreadable",
    ["{broken", {"version": 1, "backend": "gemini"}, {"some": "dict"}, [], 7, "", [{"job": "x"}]],
)
def test_what_is_no_manifest_is_refused_by_the_sensor(gemini: Emulator, unreadable: Any) -> None:
    ran = run_dag(lambda: GenAIBatchSensor(task_id="sense", job_names=unreadable, poke_interval=0.05))
    assert ran.state == "failed"
    (error,) = ran.errors
    assert isinstance(error, exceptions.ManifestError)
    assert gemini.requests == []


def test_rows_of_a_job_that_goes_on_are_not_landed(gemini: Emulator, tmp_path: Path) -> None:
    with client() as service:
        name = service.create("gemini-2.5-flash", ["a"]).name
    ran = run_dag(
        lambda: GenAIBatchResultsOperator(
            task_id="land", job_names=name, results_uri=str(tmp_path / "rows.jsonl")
        )
    )
    assert isinstance(ran.errors[0], exceptions.InputError)
    assert "GenAIBatchSensor" in str(ran.errors[0])


def test_rows_that_are_in_bigquery_are_not_landed(vertex: Emulator, tmp_path: Path) -> None:
    scene = SCENES["vertex-bigquery"][1](vertex, tmp_path)
    out = tmp_path / "rows.jsonl"
    ran = run_dag(
        lambda: GenAIBatchOperator(task_id="ask", model=MODEL, poll_interval=0.05, **scene.arguments)
    )
    names = ran.xcom["ask"]["job_names"]
    ran = run_dag(lambda: GenAIBatchResultsOperator(task_id="land", job_names=names, results_uri=str(out)))
    assert isinstance(ran.errors[0], exceptions.UnsupportedError)
    assert "bq://" in str(ran.errors[0])
    assert not out.exists()


def objects(*contents: str) -> list[str]:
    """Put objects into Cloud Storage; returns their addresses."""
    place = f"gs://emulator-staging/{uuid4().hex}"
    with client() as service:
        return [
            service.upload(io.BytesIO(content.encode()), f"{place}/{number}.jsonl")
            for number, content in enumerate(contents)
        ]


@pytest.mark.parametrize(
    ("line", "words"),
    [("{oops\n", "not JSON"), (GOOD, "its key is the same as that of line 1 of {first}")],
    ids=["not JSON", "a key that was there before"],
)
def test_a_bad_line_of_several_objects_is_named_by_its_object(
    vertex: Emulator, line: str, words: str
) -> None:
    first, second, third = objects(GOOD, GOOD.replace('"a"', '"b"') + line, GOOD.replace('"a"', '"c"'))
    error = refusal(src=[first, second, third])
    assert isinstance(error, exceptions.RequestError)
    assert error.where == f"line 2 of {second}"
    assert words.format(first=first) in error.reason
    assert vertex.jobs == []


def test_objects_that_all_have_a_byte_order_mark_are_no_bad_input(vertex: Emulator) -> None:
    src = objects(*(f'\ufeff{{"key": "{key}", "request": {ASK}}}\n' for key in "ab"))
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=src, dest=f"{src[0]}-out/", poll_interval=0.05
        )
    )
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["counts"]["ok"] == 2
    with client() as service:
        source = service.get(vertex.jobs[0]["name"]).source
    assert source is not None
    assert source.gcs_uri != tuple(src), "the service reads lines that begin with a mark"
