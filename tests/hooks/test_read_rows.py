"""Rows for tasks downstream: the same ones wherever they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import task
from pydantic import BaseModel

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import InputError, ManifestError, UnsupportedError
from airflow_provider_genai_batch.hooks.genai_batch import read_rows
from airflow_provider_genai_batch.models import ResultRow, RowStatus
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.results.digest import digest_of
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, PROMPTS, SCENES, requests


def ask(**settings: Any) -> Ran:
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", **{"model": MODEL, "src": requests(), "poll_interval": 0.05, **settings}
        )
    )
    assert ran.state == "success", ran.errors
    return ran


def statuses(rows: Iterator[ResultRow]) -> dict[str | None, str]:
    return {row.key: row.status.value for row in rows}


@pytest.mark.parametrize("name", [None, "rows.jsonl", "rows.jsonl.gz", "rows.parquet"], ids=str)
def test_rows_are_the_same_wherever_they_are(gemini: Emulator, tmp_path: Path, name: str | None) -> None:
    gemini.script(JobScript(row_errors={"alpha": 13}))
    uri = name and str(tmp_path / name)
    rows = list(read_rows(ask(results_uri=uri, max_failed_rows=1).xcom["ask"]))
    assert {row.key: row.status for row in rows} == {
        "alpha": RowStatus.ERROR,
        "0042": RowStatus.OK,
        "gamma": RowStatus.OK,
    }
    (failed,) = [row for row in rows if row.error]
    assert failed.error is not None
    assert failed.error.code == 13
    assert all(row.usage and row.usage.total for row in rows if row is not failed)


def test_what_landed_is_read_as_it_was_written(gemini: Emulator, tmp_path: Path) -> None:
    class City(BaseModel):
        name: str

    rows = {}
    for ending in ("jsonl", "parquet"):
        ran = ask(
            src=[{"city": "Rome", "id": 7}],
            prompt="Where is {city}?",
            output_type=City,
            results_uri=str(tmp_path / f"rows.{ending}"),
        )
        (rows[ending],) = read_rows(ran.xcom["ask"])
    assert rows["jsonl"] == rows["parquet"]
    assert rows["jsonl"].input == {"city": "Rome", "id": 7}
    assert City.model_validate(rows["jsonl"].output)


@pytest.mark.parametrize("landing", [False, True], ids=["at the service", "landed"])
@pytest.mark.parametrize("kind", [name for name in SCENES if name in ("vertex-gcs", "vertex-inline")])
def test_rows_of_vertex_are_read_by_the_connection(
    kind: str, landing: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    backend, build = SCENES[kind]
    scene = build(request.getfixturevalue(backend), tmp_path)
    uri = f"gs://emulator-staging/{tmp_path.name}/rows.jsonl.gz" if landing else None
    ran = ask(**{**scene.arguments, "results_uri": uri})
    assert statuses(read_rows(ran.xcom["ask"])) == dict.fromkeys(PROMPTS, "ok")


def test_rounds_and_several_jobs_are_joined_to_one_row_a_request(gemini: Emulator) -> None:
    gemini.script(JobScript(row_errors={"alpha": 13}))
    manifest = ask(retry_failed_rows=1, max_requests_per_job=2).xcom["ask"]
    assert len(manifest["job_names"]) == 3
    rows = list(read_rows(manifest))
    assert sorted(row.key for row in rows if row.key) == sorted(PROMPTS)
    assert {row.status for row in rows} == {RowStatus.OK}
    assert {row.key for row in rows if row.round} == {"alpha"}


def test_the_manifests_of_a_mapped_task_are_read_one_after_the_other(gemini: Emulator) -> None:
    read: list[str | None] = []

    @task
    def count(manifests: Any) -> None:
        read.extend(row.key for row in read_rows(manifests))

    ran = run_dag(
        lambda: count(
            GenAIBatchOperator.partial(task_id="ask", model=MODEL, poll_interval=0.05)
            .expand(src=[[{"key": "a", "contents": "A"}], [{"key": "b", "contents": "B"}]])
            .output
        )
    )
    assert ran.state == "success", ran.errors
    assert sorted(map(str, read)) == ["a", "b"]


def test_answers_that_did_not_land_are_read_by_a_type_that_is_named_again(gemini: Emulator) -> None:
    class City(BaseModel):
        name: str

    manifest = ask(output_type=City).xcom["ask"]
    assert all(City.model_validate(row.output) for row in read_rows(manifest, output_type=City))

    class Other(BaseModel):
        count: int

    assert {row.status for row in read_rows(manifest, output_type=Other)} == {RowStatus.INVALID}


def test_jobs_that_somebody_waited_for_are_read_by_another_connection(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = ask().xcom["ask"]
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(gemini.connection("gemini")))
    monkeypatch.delenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT")
    assert statuses(read_rows(manifest, conn_id="other")) == dict.fromkeys(PROMPTS, "ok")


def test_a_job_that_goes_on_has_no_rows_yet(gemini: Emulator) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    manifest = ask(wait=False).xcom["ask"]
    with pytest.raises(InputError, match="has not ended"):
        list(read_rows(manifest))


def test_rows_in_bigquery_are_for_bigquery(vertex: Emulator, tmp_path: Path) -> None:
    scene = SCENES["vertex-bigquery"][1](vertex, tmp_path)
    manifest = ask(**scene.arguments).xcom["ask"]
    with pytest.raises(UnsupportedError, match="read them there with SQL"):
        list(read_rows(manifest))


def test_a_file_that_is_gone_is_told_by_its_name(gemini: Emulator, tmp_path: Path) -> None:
    manifest = ask(results_uri=str(tmp_path / "rows.jsonl")).xcom["ask"]
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(InputError, match=r"rows\.jsonl cannot be read"):
        list(read_rows(manifest))


def test_what_is_no_manifest_is_refused(gemini: Emulator) -> None:
    with pytest.raises(ManifestError, match="not a manifest"):
        list(read_rows({"job_names": ["batches/a"]}))


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
@pytest.mark.parametrize(("prompts", "given"), [(["a"], 1), (["a", "b", "c", "d"], 3)], ids=["less", "more"])
def test_a_file_that_another_task_has_written_again_is_told(
    gemini: Emulator, tmp_path: Path, name: str, prompts: list[str], given: int
) -> None:
    uri = str(tmp_path / name)
    mine = ask(results_uri=uri).xcom["ask"]
    theirs = ask(results_uri=uri, src=prompts).xcom["ask"]
    rows = read_rows(mine)
    assert len(list(islice(rows, given))) == given
    with pytest.raises(InputError, match=r"overwritten since.*ti\.map_index"):
        next(rows)
    assert len(list(read_rows(theirs))) == len(prompts)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.parquet"])
def test_a_file_of_others_with_as_many_rows_is_refused_before_one_is_given(
    gemini: Emulator, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    uri = str(tmp_path / name)
    ran = run_dag(
        lambda: GenAIBatchOperator.partial(
            task_id="ask", model=MODEL, poll_interval=0.05, results_uri=uri
        ).expand(src=[["one", "two"], ["uno", "due"]])
    )
    assert ran.state == "success", ran.errors
    manifests = ran.xcom["ask"]
    warned = [message for message in caplog.messages if "lands its rows at the same results_uri" in message]
    assert len(warned) == 2
    assert "{{ ti.map_index }}" in warned[0]
    assert len({manifest["results_digest"] for manifest in manifests}) == 2
    with Path(uri).open("rb") as stream:
        digest = digest_of(stream)
    mine, others = sorted(manifests, key=lambda manifest: manifest["results_digest"] != digest)
    assert len(list(read_rows(mine))) == 2
    with pytest.raises(InputError, match=r"has 2 other rows.*ti\.map_index"):
        next(read_rows(others))
    old = {**others, "results_digest": None}
    assert len(list(read_rows(old))) == 2, (
        "a manifest of an earlier version says no more than how many there were"
    )


def test_mapped_tasks_with_files_of_their_own_are_all_read(
    gemini: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran = run_dag(
        lambda: GenAIBatchOperator.partial(
            task_id="ask",
            model=MODEL,
            poll_interval=0.05,
            results_uri=f"{tmp_path}/rows-{{{{ ti.map_index }}}}.jsonl",
        ).expand(src=[["a"], ["b", "c"]])
    )
    assert ran.state == "success", ran.errors
    paths = sorted(path.name for path in tmp_path.iterdir())
    assert paths == ["rows-0.jsonl", "rows-1.jsonl"]
    assert not [message for message in caplog.messages if "same results_uri" in message]


def test_rows_are_read_one_at_a_time(gemini: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    manifest = ask(results_uri=str(path)).xcom["ask"]
    first = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(first + b"no row\n")
    rows = read_rows(manifest)
    assert next(rows).status is RowStatus.OK
