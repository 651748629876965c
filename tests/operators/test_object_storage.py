"""Input from and rows to object storage, by Airflow's own paths and by the connection's credentials."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.storage import CloudStorage
from airflow_provider_genai_batch.exceptions import ConfigurationError, ResultsNotWritten
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
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


def test_a_bucket_that_is_not_there_is_no_trouble_of_the_job(vertex: Emulator) -> None:
    ran = ask(
        ["a"], f"gs://no-such-bucket-{uuid4().hex}/rows.jsonl", dest=f"gs://emulator-staging/{uuid4().hex}/"
    )
    (error,) = ran.errors
    assert isinstance(error, ResultsNotWritten)
    assert error.job_names == (vertex.jobs[0]["name"],)


def test_a_key_that_only_looks_stamped_says_nothing_of_a_place(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    assert ask([{"key": "r00000007", "contents": "again"}, "new"], str(out)).state == "success"
    rows = {row["key"]: row["index"] for row in map(json.loads, out.read_text().splitlines())}
    assert rows == {"r00000007": None, "r00000001": None}
