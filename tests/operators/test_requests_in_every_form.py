"""Requests in every form that users write, from the operator to the rows, on both services."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import task
from google.genai import types

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.models import BatchRequest
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.wire.keys import stamp
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client

TEXTS = [
    "Say {{ ds }} and {{ 1 + 1 }}",
    "files/{{ ds }} is the name of a file. What is in it?",
    "What is in bq://{{ ds }}? {% raw %} {# no comment #}",
    "{column} { } {{}} \u2028 plain",
]
KEYS = [f"k{number}" for number in range(4)]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


@pytest.fixture(params=["gemini", "vertex"])
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Give a service whose model repeats what it was asked, as JSON."""
    storage = request.getfixturevalue("cloud_storage") if request.param == "vertex" else None
    with Emulator(storage=storage, answer=json.dumps) as running:
        connection = json.dumps(running.connection(request.param))
        monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", connection)
        yield running


def ask(src: Any, out: Path, **settings: Any) -> Ran:
    if client().config.backend.value == "vertex":
        settings.setdefault("dest", f"gs://emulator-staging/{uuid4().hex}/")
    fill = src if callable(src) and getattr(src, "fills", False) else lambda: src
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=fill(), results_uri=str(out), poll_interval=0.05, **settings
        )
    )
    assert ran.state == "success", ran.errors
    return ran


def landed(out: Path) -> list[dict[str, Any]]:
    if out.suffix == ".parquet":
        return pq.read_table(out).to_pylist()
    return [json.loads(line) for line in out.read_bytes().splitlines()]


def parts(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of the request that a row answers."""
    return json.loads(row["text"])["contents"][0]["parts"]


def said(row: dict[str, Any]) -> str:
    return parts(row)[0]["text"]


def rest(text: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def as_lines() -> bytes:
    pairs = zip(KEYS, TEXTS, strict=True)
    return b"".join(json.dumps({"key": k, "request": rest(t)}).encode() + b"\n" for k, t in pairs)


def of_a_task() -> Any:
    @task
    def texts() -> list[str]:
        return TEXTS

    return texts()


of_a_task.fills = True  # type: ignore[attr-defined]

FORMS: dict[str, Any] = {
    "strings": TEXTS,
    "a tuple": tuple(TEXTS),
    "dicts": [{"key": k, "contents": t} for k, t in zip(KEYS, TEXTS, strict=True)],
    "REST": [{"key": k, "request": rest(t)} for k, t in zip(KEYS, TEXTS, strict=True)],
    "BatchRequest": [BatchRequest(key=k, contents=t) for k, t in zip(KEYS, TEXTS, strict=True)],
    "objects of the SDK": [types.InlinedRequest(contents=t) for t in TEXTS],
    "the SDK's source": {"inlined_requests": [{"contents": t} for t in TEXTS]},
    "a generator": lambda context, jinja_env: (  # noqa: ARG005 - Airflow's names
        BatchRequest(contents=t) for t in TEXTS
    ),
    "the output of a task": of_a_task,
}


@pytest.mark.parametrize("form", FORMS)
def test_requests_are_asked_as_they_are_written_and_never_rendered(
    service: Emulator, tmp_path: Path, form: str
) -> None:
    out = tmp_path / "rows.jsonl"
    service.script(JobScript(shuffle=True, seed=1))
    ask(FORMS[form], out, ordered=True)
    rows = landed(out)
    keyed = form in ("dicts", "REST", "BatchRequest")
    assert [row["key"] for row in rows] == (KEYS if keyed else [stamp(number) for number in range(4)])
    assert [said(row) for row in rows] == TEXTS


@pytest.mark.parametrize("place", ["a path", "file://", "object storage", "gs://"])
def test_requests_of_a_file_are_asked_as_they_are_and_never_rendered(
    service: Emulator, tmp_path: Path, request: pytest.FixtureRequest, place: str
) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "rows.jsonl"
    path.write_bytes(as_lines())
    src = {"a path": str(path), "file://": f"file://{path}", "object storage": f"local://{path}"}.get(place)
    if src is None and client().config.backend.value == "gemini":
        return
    if src is None:
        src = f"gs://emulator-staging/{uuid4().hex}/in.jsonl"
        request.getfixturevalue("cloud_storage").write(src, [as_lines()])
    service.script(JobScript(shuffle=True, seed=1))
    ask(src, out, ordered=True)
    rows = landed(out)
    assert [(row["key"], said(row)) for row in rows] == list(zip(KEYS, TEXTS, strict=True))


def test_rows_of_a_list_that_come_in_any_order_have_their_own_answers_and_places(
    service: Emulator, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    service.script(JobScript(shuffle=True, seed=1))
    asked = [*FORMS["dicts"], "Why?"]
    ask(asked, out, deferrable=client().config.backend.value == "vertex")
    rows = {row["key"]: (row["index"], said(row)) for row in landed(out)}
    keys, texts = [*KEYS, stamp(4)], [*TEXTS, "Why?"]
    assert rows == {key: (at, text) for at, (key, text) in enumerate(zip(keys, texts, strict=True))}


# ---------------------------------------------------------------- templates over rows


ROWS = [{"id": key, "text": text} for key, text in zip(KEYS, TEXTS, strict=True)]


def table(path: Path) -> Path:
    """Write the rows as the file's name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, ["id", "text"])
        writer.writeheader()
        writer.writerows(ROWS)
        path.write_text(text.getvalue())
    return path


@pytest.mark.parametrize(("ending", "form"), [("csv", "parquet"), ("jsonl", "jsonl"), ("parquet", "parquet")])
def test_a_template_over_rows_lands_in_their_order_with_their_columns(
    service: Emulator, tmp_path: Path, ending: str, form: str
) -> None:
    out = tmp_path / f"rows.{form}"
    service.script(JobScript(shuffle=True, seed=1))
    ask(str(table(tmp_path / f"in.{ending}")), out, prompt="Classify: {text}", ordered=True)
    rows = landed(out)
    assert [said(row) for row in rows] == [f"Classify: {text}" for text in TEXTS]
    assert [row["input"] for row in rows] == ROWS


# ---------------------------------------------------------------- pictures and other media


def uploaded(service: Emulator) -> str:
    """Put a picture where the service reads it: the Files API, or Cloud Storage."""
    with client() as reader:
        if reader.config.backend.value == "vertex":
            return reader.upload(
                io.BytesIO(PNG), f"gs://emulator-staging/{uuid4().hex}/a.png", mime_type="image/png"
            )
        return f"{service.url}/v1beta/{reader.upload(io.BytesIO(PNG), mime_type='image/png')}"


INLINE = {"inlineData": {"data": base64.b64encode(PNG).decode(), "mimeType": "image/png"}}


def media(uri: str) -> dict[str, tuple[Any, str | None]]:
    """Return ways to ask of a file and of bytes in one request: `src` and `prompt`."""
    file = {"file_data": {"file_uri": uri, "mime_type": "image/png"}}
    blob = {"inline_data": {"data": PNG, "mime_type": "image/png"}}
    both = [
        types.Part.from_uri(file_uri=uri, mime_type="image/png"),
        types.Part.from_bytes(data=PNG, mime_type="image/png"),
    ]
    columns = [
        {"file_data": {"file_uri": "{uri}", "mime_type": "image/{kind}"}},
        {"inline_data": {"data": "{png}", "mime_type": "image/{kind}"}},
    ]
    return {
        "dicts": ([{"contents": ["What is {{ it }}?", file, blob]}], None),
        "BatchRequest": ([BatchRequest(contents=["What is {{ it }}?", file, blob])], None),
        "objects of the SDK": ([types.InlinedRequest(contents=["What is {{ it }}?", *both])], None),
        "a template": (
            [{"uri": uri, "png": PNG, "kind": "png", "what": "{{ it }}"}],
            ["What is {what}?", *columns],  # type: ignore[dict-item]
        ),
    }


@pytest.mark.parametrize("form", media(""))
def test_files_and_bytes_go_into_requests(service: Emulator, tmp_path: Path, form: str) -> None:
    uri, out = uploaded(service), tmp_path / "rows.jsonl"
    src, prompt = media(uri)[form]
    ask(src, out, prompt=prompt)
    (row,) = landed(out)
    named = {"fileData": {"fileUri": uri, "mimeType": "image/png"}}
    assert parts(row) == [{"text": "What is {{ it }}?"}, named, INLINE]


def test_files_and_bytes_go_into_lines_of_a_file(service: Emulator, tmp_path: Path) -> None:
    uri, out = uploaded(service), tmp_path / "rows.jsonl"
    asked = [{"text": "What is {{ it }}?"}, {"fileData": {"fileUri": uri, "mimeType": "image/png"}}, INLINE]
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"contents": [{"role": "user", "parts": asked}]}))
    ask(str(path), out)
    (row,) = landed(out)
    assert parts(row) == asked
