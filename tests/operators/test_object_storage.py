"""Input from and rows to object storage, by Airflow's own paths and by the connection's credentials."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import ConfigurationError, ResultsNotWritten
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import die_after_submit
from tests.operators.scenes import MODEL, PROMPTS, lines


def ask(src: object, results_uri: str, **settings: object) -> Ran:
    return run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=src, results_uri=results_uri, poll_interval=0.05, **settings
        )
    )


def test_file_addresses_are_local_paths(gemini: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in put.jsonl").write_bytes(lines())
    ran = ask(f"file://{tmp_path}/in%20put.jsonl", f"file://{tmp_path}/rows.jsonl")
    assert ran.state == "success", ran.errors
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == len(PROMPTS)


def test_rows_land_compressed_where_the_name_says_so(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl.gz"
    assert ask(["a", "b"], str(out)).state == "success"
    assert len(gzip.decompress(out.read_bytes()).splitlines()) == 2


def test_on_the_gemini_api_gs_goes_by_airflows_own_path(
    gemini: Emulator, cloud_storage: CloudStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud_storage.url)
    google = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "p"}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(google))
    uri = f"gs://emulator-staging/{uuid4().hex}/rows.jsonl"
    ran = ask(["a", "b"], uri)
    assert ran.state == "success", ran.errors
    assert len(b"".join(cloud_storage.read(uri)).splitlines()) == 2
    assert [found for found, _ in cloud_storage.list(uri)] == [uri], "nothing is left aside"


def test_on_vertex_rows_land_in_cloud_storage_by_the_connection(
    vertex: Emulator, cloud_storage: CloudStorage
) -> None:
    place = f"gs://emulator-staging/{uuid4().hex}"
    ran = ask(["a", "b"], f"{place}/rows.jsonl", dest=f"{place}/out/")
    assert ran.state == "success", ran.errors
    assert len(b"".join(cloud_storage.read(f"{place}/rows.jsonl")).splitlines()) == 2


@pytest.mark.parametrize(
    ("src", "results_uri"),
    [("abfs://container/in.jsonl", "/tmp/rows.jsonl"), (["a"], "abfs://container/rows.jsonl")],
)
def test_a_scheme_that_nobody_serves_is_refused_before_anything_is_paid(
    gemini: Emulator, src: object, results_uri: str
) -> None:
    ran = ask(src, results_uri)
    assert isinstance(ran.errors[0], ConfigurationError)
    assert "abfs" in str(ran.errors[0])
    assert gemini.jobs == []


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_place_that_cannot_be_written_is_found_before_anything_is_paid(
    vertex: Emulator, tmp_path: Path, *, deferrable: bool
) -> None:
    (tmp_path / "file").write_text("no folder")
    dest = f"gs://emulator-staging/{uuid4().hex}/"
    for uri in (f"gs://no-such-bucket-{uuid4().hex}/rows.jsonl", f"{tmp_path}/file/rows.jsonl"):
        (error,) = ask(["a"], uri, dest=dest, deferrable=deferrable).errors
        assert isinstance(error, ConfigurationError)
        assert uri in str(error)
    assert vertex.jobs == []


@pytest.mark.parametrize("deferrable", [False, True])
def test_rows_that_are_paid_are_not_hidden_behind_a_place_that_cannot_be_written_any_more(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, deferrable: bool
) -> None:
    """Each attempt says that they are paid; the one that can write again lands them."""
    folder = tmp_path / "folder"
    errors: list[BaseException] = []

    def take_away(context: dict[str, Any]) -> None:
        errors.append(context["exception"])
        if context["ti"].try_number == 1:
            folder.write_text("no folder")
        else:
            folder.unlink()

    died = die_after_submit(monkeypatch)
    ran = ask(
        ["a", "b"],
        f"{folder}/rows.jsonl",
        deferrable=deferrable,
        retries=2,
        retry_delay=0,
        on_retry_callback=take_away,
    )
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 1
    assert len(died) == 3
    assert [type(error) for error in errors] == [RuntimeError, ResultsNotWritten]
    assert "answered rows are paid for" in str(errors[1])
    assert len((folder / "rows.jsonl").read_text().splitlines()) == 2


def test_a_key_that_only_looks_stamped_does_not_say_the_place_of_its_row(
    gemini: Emulator, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    assert ask([{"key": "r00000007", "contents": "again"}, "new"], str(out)).state == "success"
    rows = {row["key"]: row["index"] for row in map(json.loads, out.read_text().splitlines())}
    assert rows == {"r00000007": 0, "r00000001": 1}
