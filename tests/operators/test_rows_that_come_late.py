"""A job has ended, and a part of its rows is there: the task waits for the others, and pays for none again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.clock import SystemClock, replaced
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.flows.outcome import collect
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchResultsOperator
from airflow_provider_genai_batch.task.jobs import patience
from tests.dags import run_dag
from tests.operators.doors import DOORS, wait_by
from tests.operators.scenes import MODEL, client

KEYS = [f"key-{number}" for number in range(10)]


@pytest.fixture
def src(vertex: Emulator, cloud_storage: CloudStorage) -> str:
    """Put requests into Cloud Storage."""
    uri = f"gs://emulator-staging/{uuid4().hex}/in.jsonl"
    asked = [{"role": "user", "parts": [{"text": "Hi"}]}]
    lines = [{"key": key, "request": {"contents": asked}} for key in KEYS]
    cloud_storage.write(uri, [b"".join(json.dumps(line).encode() + b"\n" for line in lines)])
    return uri


@pytest.mark.parametrize("door", DOORS)
def test_the_task_goes_on_looking_while_a_shard_that_the_service_has_counted_is_not_there(
    vertex: Emulator, src: str, tmp_path: Path, door: str
) -> None:
    vertex.script(JobScript(shards=2, shard_looks=4))
    out = tmp_path / "rows.jsonl"
    settings: dict[str, Any] = {} if "sensor" in door else {"results_uri": str(out), "retry_failed_rows": 1}
    ran = wait_by(door, src, max_failed_rows=0.6, **settings)
    assert ran.state == "success", ran.errors
    assert (ran.xcom["wait"]["counts"]["ok"], ran.xcom["wait"]["counts"]["missing"]) == (10, 0)
    assert len(vertex.jobs) == 1
    if settings:
        assert sorted(json.loads(line)["key"] for line in out.read_text().splitlines()) == KEYS


@pytest.mark.parametrize("door", ["in place", "deferred"])
def test_a_shard_that_never_comes_is_missing_after_a_bounded_time(
    vertex: Emulator, src: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, door: str
) -> None:
    monkeypatch.setattr(patience, "READ_PATIENCE", 0.5)
    vertex.script(JobScript(shards=2, shard_looks=10_000))
    out = tmp_path / "rows.jsonl"
    ran = wait_by(door, src, max_failed_rows=0.6, results_uri=str(out))
    assert ran.state == "success", ran.errors
    assert (ran.xcom["wait"]["counts"]["ok"], ran.xcom["wait"]["counts"]["missing"]) == (5, 5)
    assert len(out.read_text().splitlines()) == 10


def test_a_sensor_that_pokes_takes_a_shard_that_never_comes_for_missing_once_it_is_old(
    vertex: Emulator, src: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it pokes: the clocks of the service may be apart, and the shard may be young."""
    monkeypatch.setattr(collect, "READ_PATIENCE", 0.2)
    monkeypatch.setattr(collect, "CLOCKS_APART", 5.0)
    vertex.script(JobScript(lifecycle=Lifecycle.at_once(), shards=2, shard_looks=10_000))
    ran = wait_by("sensor", src, max_failed_rows=0.6)
    assert ran.state == "success", ran.errors
    assert (ran.xcom["wait"]["counts"]["ok"], ran.xcom["wait"]["counts"]["missing"]) == (5, 5)


def test_no_half_of_the_rows_is_published_while_the_others_are_awaited(
    vertex: Emulator, src: str, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    out.write_bytes(b"of yesterday")
    seen: list[bytes] = []

    class Noting(SystemClock):
        def sleep(self, seconds: float) -> None:
            seen.append(out.read_bytes())
            super().sleep(seconds)

    vertex.script(JobScript(shards=2, shard_looks=4))
    with replaced(Noting()):
        ran = wait_by("in place", src, results_uri=str(out))
    assert ran.state == "success", ran.errors
    assert {*seen} == {b"of yesterday"}
    assert len(out.read_bytes().splitlines()) == 10


def test_rows_of_a_job_that_is_landed_by_name_are_waited_for_too(
    vertex: Emulator, src: str, tmp_path: Path
) -> None:
    vertex.script(JobScript(shards=2, shard_looks=8))
    with client() as service:
        name = service.create(MODEL, src).name
        while not service.get(name).done:
            pass
    out = tmp_path / "rows.jsonl"
    ran = run_dag(
        lambda: GenAIBatchResultsOperator(task_id="land", job_names=name, results_uri=str(out), src=src)
    )
    assert ran.state == "success", ran.errors
    assert ran.xcom["land"]["counts"]["ok"] == 10
