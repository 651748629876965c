"""The first rows of a task, from whatever they landed in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from airflow_provider_genai_batch.models import Manifest, ResultRow
from airflow_provider_genai_batch.models.jobs.identity import Identity, short_key
from airflow_provider_genai_batch.results.sinks import form_of, opened
from tests.operators.scenes import MODEL

first_rows = pytest.importorskip(
    "airflow_provider_genai_batch.pages.service.first_rows", reason="pages need Airflow 3.1"
)
CONN_ID = "genai_batch_default"
OWN = Identity("1" * 64, "2" * 64)


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    return {"lifecycle": Lifecycle.at_once()}


def manifest(results_uri: str | None, *names: str) -> Manifest:
    return Manifest(
        backend="gemini", state="SUCCEEDED", job_names=names or ("batches/a",), results_uri=results_uri
    )


def look(found: Manifest, status: str = "", **given: Any) -> Any:
    """Return the first rows of a task that was given the place of its manifest, or what is given here."""
    given = {"conn_id": CONN_ID, "results_uri": found.results_uri} | given
    return first_rows.first_rows(short_key(OWN.key), given, found, status)


def rows(number: int) -> list[dict[str, Any]]:
    return [
        ResultRow(
            key=f"k{at}", index=at, status="error" if at % 3 == 2 else "ok", text=f"<b>{at}</b>"
        ).model_dump()
        for at in range(number)
    ]


def written(folder: Path, form: str, found: list[dict[str, Any]], name: str = "rows") -> str:
    path = folder / f"{name}.{form}"
    with path.open("wb") as out, opened(out, form_of(str(path))) as write:
        write(b"".join(json.dumps(row).encode() + b"\n" for row in found))
    return str(path)


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_rows_of_a_status_are_read_from_a_file(gemini: Emulator, tmp_path: Path, form: str) -> None:
    uri = written(tmp_path, form, rows(9))
    found = look(manifest(uri), "error")
    assert [row.key for row in found.rows] == ["k2", "k5", "k8"]
    assert (found.scanned, found.whole, found.trouble) == (9, True, "")
    assert len(look(manifest(uri)).rows) == 9


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet"])
def test_rows_of_a_dataset_are_read_file_by_file(gemini: Emulator, tmp_path: Path, form: str) -> None:
    found = rows(9)
    for part in (1, 0, 2):
        written(tmp_path, form, found[3 * part : 3 * part + 3], f"rows-{part:05d}")
    uri = str(tmp_path / f"rows-*.{form}")
    shown = look(manifest(uri), "error")
    assert [row.key for row in shown.rows] == ["k2", "k5", "k8"]
    assert (shown.scanned, shown.whole, shown.trouble) == (9, True, "")
    assert look(manifest(str(tmp_path / f"none-*.{form}"))).trouble


def test_answers_that_landed_nowhere_are_read_from_jobs_of_the_task_and_those_that_its_parameters_name(
    gemini: Emulator,
) -> None:
    from airflow_provider_genai_batch.hooks.genai_batch import open_client

    with open_client(CONN_ID) as client:
        own = client.create(MODEL, ["Hello"] * 3, display_name=OWN.display_name("dag.task")).name
        other = client.create(MODEL, ["Hello"] * 3).name
        assert client.get(own).done
        assert client.get(other).done
    assert (len(look(manifest(None, own)).rows), look(manifest(None, own)).trouble) == (3, "")
    assert (
        len(look(manifest(None, other), job_names=f"{{'backend': 'gemini', 'job_names': ['{own}']}}").rows)
        == 0
    )
    for named in (other, [own, other], manifest(None, other).model_dump(mode="json")):
        assert len(look(manifest(None, other), job_names=named).rows) == 3
    refused = look(manifest(None, own, other), job_names=None)
    assert (refused.rows, other in refused.trouble, own in refused.trouble) == ((), True, False)


def test_a_manifest_that_names_another_place_than_the_task_was_given_shows_nothing_of_it(
    gemini: Emulator, tmp_path: Path
) -> None:
    uri = written(tmp_path, "jsonl", rows(9))
    for given in (str(tmp_path / "own.jsonl"), None, str(tmp_path / "*.jsonl"), "***"):
        refused = look(manifest(uri), results_uri=given)
        assert (refused.rows, refused.scanned) == ((), 0)
        assert "Nothing was read" in refused.trouble


def test_a_page_reads_no_more_than_it_shows(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = look(manifest(written(tmp_path, "jsonl", rows(80))))
    assert (len(many.rows), many.whole) == (first_rows.MOST, False)
    bomb = tmp_path / "bomb.jsonl.gz"
    with gzip.open(bomb, "wb") as out:
        for _ in range(40):
            out.write(b" " * 1024 * 1024)
    found = look(manifest(str(bomb)))
    assert (found.rows, found.whole) == ((), False)
    for part in range(3):
        long = [{**row, "text": "x" * 1_000_000} for row in rows(3)]
        written(tmp_path, "jsonl", long, f"long-{part}")
    found = look(manifest(str(tmp_path / "long-*.jsonl")))
    assert (len(found.rows), found.whole) == (8, False)


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
    found = look(manifest(str(tmp_path / name)))
    assert found.rows == ()
    assert found.trouble
    assert "hidden" not in found.trouble
    (tmp_path / "secret.jsonl").write_bytes(b'{"password": "hidden"}\n')
    assert look(manifest(str(tmp_path / "secret.jsonl"))).rows == ()
