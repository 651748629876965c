"""Rows never take the place of the requests that they answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.task.files.overlap import refuse_overlap
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from tests.dags import run_dag
from tests.operators.scenes import MODEL, client, lines

SPELLINGS: dict[str, Callable[[Path], tuple[str, str]]] = {
    "the path": lambda path: (str(path), str(path)),
    "a file:// URI": lambda path: (str(path), f"file://{path}"),
    "a path with a detour": lambda path: (str(path), f"{path.parent}/elsewhere/../{path.name}"),
}


def refusal(task: Callable[[], Any]) -> ConfigurationError:
    ran = run_dag(task)
    assert ran.state == "failed"
    (error,) = ran.errors
    assert isinstance(error, ConfigurationError)
    return error


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_file_of_requests_is_left_as_it_is(gemini: Emulator, tmp_path: Path, spelling: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(lines())
    src, uri = SPELLINGS[spelling](path)
    error = refusal(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=src, results_uri=uri, deferrable=False, poll_interval=0.05
        )
    )
    assert f"results_uri {uri}" in str(error)
    assert f"src {src}" in str(error)
    assert "another name" in str(error)
    assert gemini.requests == []
    assert path.read_bytes() == lines()


def test_the_requests_of_jobs_whose_rows_are_landed_later_are_left_too(
    gemini: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(lines())
    with client() as service:
        job = service.create(MODEL, service.upload(path))
        while not job.done:
            job = service.get(job.name)
    refusal(
        lambda: GenAIBatchResultsOperator(
            task_id="land", job_names=job.name, src=str(path), results_uri=str(path)
        )
    )
    assert path.read_bytes() == lines()


@pytest.mark.parametrize(
    ("src", "uri"),
    [
        ("s3://bucket/in.jsonl", "s3://my_aws@bucket/in.jsonl"),
        ("s3a://bucket/in.jsonl", "s3://bucket/in.jsonl"),
        ("gs://bucket/in.jsonl", "gs://bucket/in.jsonl"),
        (["gs://bucket/a.jsonl", "gs://bucket/b.jsonl"], "gs://bucket/b.jsonl"),
        ("gs://bucket/*.jsonl", "gs://bucket/rows.jsonl"),
        ("gs://bucket/in/", "gs://bucket/in/rows.jsonl"),
    ],
)
def test_one_object_is_known_by_each_of_its_names(src: Any, uri: str) -> None:
    with pytest.raises(ConfigurationError):
        refuse_overlap(read_source(src), uri)


@pytest.mark.parametrize(
    ("src", "uri"),
    [
        ("s3://bucket/in.jsonl", "s3://other/in.jsonl"),
        ("gs://bucket/*.jsonl", "gs://bucket/rows/rows.jsonl"),
        ("gs://bucket/in/", "gs://bucket/in/rows/rows.jsonl"),
        ("gs://bucket/in/", "gs://bucket/in/rows.parquet"),
        ("/data/in.jsonl", "gs://bucket/data/in.jsonl"),
        (["a prompt"], "/data/in.jsonl"),
        ("files/abc", "/data/in.jsonl"),
    ],
)
def test_other_places_are_free(src: Any, uri: str) -> None:
    refuse_overlap(read_source(src), uri)
