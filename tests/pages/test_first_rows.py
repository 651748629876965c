"""The first rows of a task, from whatever they landed in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from airflow_provider_genai_batch.models import Manifest, ResultRow
from airflow_provider_genai_batch.results.sinks import form_of, opened
from tests.operators.scenes import MODEL

first_rows = pytest.importorskip(
    "airflow_provider_genai_batch.pages.service.first_rows", reason="pages need Airflow 3.1"
)
CONN_ID = "genai_batch_default"


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    return {"lifecycle": Lifecycle.at_once()}


def manifest(results_uri: str | None, *names: str) -> Manifest:
    return Manifest(
        backend="gemini", state="SUCCEEDED", job_names=names or ("batches/a",), results_uri=results_uri
    )


def rows(number: int) -> list[dict[str, Any]]:
    return [
        ResultRow(
            key=f"k{at}", index=at, status="error" if at % 3 == 2 else "ok", text=f"<b>{at}</b>"
        ).model_dump()
        for at in range(number)
    ]


def written(folder: Path, form: str, found: list[dict[str, Any]]) -> str:
    path = folder / f"rows.{form}"
    with path.open("wb") as out, opened(out, form_of(str(path))) as write:
        write(b"".join(json.dumps(row).encode() + b"\n" for row in found))
    return str(path)


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_rows_of_a_status_are_read_from_a_file(gemini: Emulator, tmp_path: Path, form: str) -> None:
    uri = written(tmp_path, form, rows(9))
    found = first_rows.first_rows(CONN_ID, manifest(uri), "error")
    assert [row.key for row in found.rows] == ["k2", "k5", "k8"]
    assert (found.scanned, found.whole, found.trouble) == (9, True, "")
    assert len(first_rows.first_rows(CONN_ID, manifest(uri), "").rows) == 9


def test_answers_that_landed_nowhere_are_read_from_the_service(gemini: Emulator) -> None:
    from airflow_provider_genai_batch.hooks.genai_batch import open_client

    with open_client(CONN_ID) as client:
        job = client.create(MODEL, ["Hello"] * 3).name
        assert client.get(job).done
    found = first_rows.first_rows(CONN_ID, manifest(None, job), "")
    assert (len(found.rows), found.trouble) == (3, "")


def test_a_page_reads_no_more_than_it_shows(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = first_rows.first_rows(CONN_ID, manifest(written(tmp_path, "jsonl", rows(80))), "")
    assert (len(many.rows), many.whole) == (first_rows.MOST, False)
    bomb = tmp_path / "bomb.jsonl.gz"
    with gzip.open(bomb, "wb") as out:
        for _ in range(40):
            out.write(b" " * 1024 * 1024)
    found = first_rows.first_rows(CONN_ID, manifest(str(bomb)), "")
    assert (found.rows, found.whole) == ((), False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("passwd.txt", b"hidden:x\n"),
        ("other.jsonl", b"hidden:x\n"),
        ("cut.jsonl.gz", b"\x1f\x8b"),
        ("gone.jsonl", None),
    ],
)
def test_what_are_no_rows_is_not_shown(
    gemini: Emulator, tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    found = first_rows.first_rows(CONN_ID, manifest(str(tmp_path / name)), "")
    assert found.rows == ()
    assert found.trouble
    assert "hidden" not in found.trouble
    (tmp_path / "secret.jsonl").write_bytes(b'{"password": "hidden"}\n')
    assert first_rows.first_rows(CONN_ID, manifest(str(tmp_path / "secret.jsonl")), "").rows == ()
