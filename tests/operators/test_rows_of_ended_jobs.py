"""The rows of a job are the same whoever lands them, also of a job that was started elsewhere."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.checks import drift, invalid_share, length, null_share, share
from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import ChecksFailed, ConfigurationError, InputError
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.wire.keys import stamp
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client

OWN = ["alpha", "beta", "gamma", "f", "epsilon", "zeta"]
MODELS = {"embeddings": "gemini-embedding-001", "older embeddings": "text-embedding-005"}


def requests(*, own: bool) -> list[Any]:
    return [{"key": key, "contents": f"Say {key}"} if own else f"Say {key}" for key in OWN]


ALWAYS = ("key", "index", "status", "text", "output", "error", "finish_reason", "usage", "model_version")


def as_file(folder: Path, *, own: bool) -> str:
    lines = [
        {
            **({"key": key} if own else {}),
            "request": {"contents": [{"role": "user", "parts": [{"text": f"Say {key}"}]}]},
        }
        for key in OWN
    ]
    path = folder / "in.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return [_plain(row) for row in pq.read_table(path).to_pylist()]
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a Parquet file as JSON has it: what stands there only where there is something, is left out."""
    more = {name: _filled(value) for name, value in row.items() if name not in ALWAYS and value is not None}
    more.pop("round", None)
    row = {name: row[name] for name in ALWAYS} | more
    if row["usage"] is not None:
        row["usage"] = _filled(row["usage"])
    return row | {"output": json.loads(row["output"]) if isinstance(row["output"], str) else row["output"]}


def _filled(value: Any) -> Any:
    """Return a value of a column without the members of structs that are empty."""
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items() if item is not None}
    return value


def by_key(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["key"] or "", row["text"] or ""))


@pytest.mark.parametrize("own", [True, False], ids=["own keys", "stamps"])
@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        ("gemini", "list"),
        ("gemini", "file"),
        ("gemini", "embeddings"),
        ("vertex", "file"),
        ("vertex", "embeddings"),
        ("vertex", "older embeddings"),
    ],
)
def test_they_are_those_that_the_operator_landed(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, kind: str, own: bool
) -> None:
    emulator: Emulator = request.getfixturevalue(backend)
    keyless = kind == "older embeddings"
    strange = {} if keyless else {"missing": [2], "duplicated": [3], "unknown_keys": ["nobody"]}
    shards = {"shards": 3, "extra_objects": ["notes.txt"]} if backend == "vertex" else {}
    emulator.script(JobScript(row_errors={1: 13}, **strange, **shards))
    src = as_file(tmp_path, own=own) if kind == "file" else requests(own=own and not keyless)
    place = {"dest": f"gs://emulator-staging/{uuid4().hex}/"} if backend == "vertex" else {}
    forms = ("jsonl", "jsonl.gz", "parquet")

    def fill() -> None:
        shared = {"src": src, "ordered": True, "max_failed_rows": 1.0}
        ask = GenAIBatchOperator(
            task_id="ask",
            model=MODELS.get(kind, MODEL),
            results_uri=f"{tmp_path}/ask.jsonl",
            poll_interval=0.05,
            **shared,
            **place,
        )
        for number, form in enumerate(forms):
            ask >> GenAIBatchResultsOperator(
                task_id=f"land_{number}",
                job_names="{{ ti.xcom_pull('ask')['job_names'] }}",
                results_uri=f"{tmp_path}/landed.{form}",
                **shared,
            )

    ran = run_dag(fill)
    assert ran.state == "success", ran.errors
    expected = read(tmp_path / "ask.jsonl")
    assert len(expected) == len(OWN)
    for number, form in enumerate(forms):
        assert ran.xcom[f"land_{number}"]["counts"] == ran.xcom["ask"]["counts"]
        assert ran.xcom[f"land_{number}"]["usage"] == ran.xcom["ask"]["usage"]
        landed = read(tmp_path / f"landed.{form}")
        assert (by_key(landed) if keyless else landed) == (by_key(expected) if keyless else expected)
    if not keyless:
        keys = OWN if own else [stamp(number) for number in range(len(OWN))]
        assert [(row["key"], row["index"]) for row in expected] == [(key, n) for n, key in enumerate(keys)]


class Answer(BaseModel):
    city: str


@pytest.fixture(params=["gemini", "vertex"])
def by_hand(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., str]:
    """Give a function that has the requests answered by a job that no task submitted; it returns its name."""
    emulator: Emulator = request.getfixturevalue(request.param)

    def run(**script: Any) -> str:
        emulator.script(JobScript(**script))
        with client() as service:
            if request.param == "gemini":
                job = service.create(MODEL, requests(own=True))
            else:
                uri = service.upload(
                    as_file(tmp_path, own=True), f"gs://emulator-staging/{uuid4().hex}/in.jsonl"
                )
                job = service.create(MODEL, uri, dest=f"{uri}_out/")
            while not job.done:
                job = service.get(job.name)
            return str(job.name)

    return run


def land(name: str, path: Path, **settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchResultsOperator(
            task_id="land", job_names=name, results_uri=str(path), max_failed_rows=1.0, **settings
        )
    )


def test_rows_of_a_job_that_was_started_elsewhere_are_those_of_the_client(
    by_hand: Callable[..., str], tmp_path: Path
) -> None:
    name = by_hand(row_errors={1: 13}, blocked=[2])
    ran = land(name, tmp_path / "rows.jsonl")
    assert ran.state == "success", ran.errors
    with client() as service:
        expected = [_plain(row.model_dump(mode="json")) | {"tier": "batch"} for row in service.rows(name)]
    assert by_key(read(tmp_path / "rows.jsonl")) == by_key(expected)
    counts = ran.xcom["land"]["counts"]
    assert (counts["total"], counts["ok"], counts["error"], counts["invalid"]) == (6, 4, 1, 1)
    assert sum(ran.xcom["land"]["causes"].values()) == 2


def test_with_its_requests_every_one_has_a_row_in_their_order(
    by_hand: Callable[..., str], tmp_path: Path
) -> None:
    name = by_hand(missing=[2], unknown_keys=["nobody"], shuffle=True)
    ran = land(name, tmp_path / "rows.jsonl", src=requests(own=True), ordered=True)
    assert ran.state == "success", ran.errors
    rows = read(tmp_path / "rows.jsonl")
    assert [row["key"] for row in rows] == OWN
    assert [row["key"] for row in rows if row["status"] == "missing"] == ["gamma"]


def test_rows_without_keys_are_not_called_missing_but_land_without_their_requests(
    gemini: Emulator, tmp_path: Path
) -> None:
    with client() as service:
        job = service.create(MODEL, service.upload(as_file(tmp_path, own=False)))
        while not job.done:
            job = service.get(job.name)
    out = tmp_path / "rows.jsonl"
    (error,) = land(job.name, out, src=requests(own=False)).errors
    assert isinstance(error, InputError)
    assert "None of the 6 rows" in str(error)
    assert not out.exists()
    ran = land(job.name, out)
    assert ran.state == "success", ran.errors
    assert [row["status"] for row in read(out)] == ["ok"] * 6


def test_answers_are_checked_against_the_type_that_they_are_to_be(
    by_hand: Callable[..., str], tmp_path: Path
) -> None:
    name = by_hand(answers={0: '{"city": "Oslo"}', 1: '{"town": "Rome"}'})
    checks = [share("city", "Oslo", between=(0.5, 1)), invalid_share(at_most=0.5)]
    ran = land(name, tmp_path / "rows.jsonl", output_type=Answer, checks=checks, on_check="warn")
    assert ran.state == "success", ran.errors
    rows = {row["text"]: row for row in read(tmp_path / "rows.jsonl")}
    assert rows['{"city": "Oslo"}']["output"] == {"city": "Oslo"}
    assert rows['{"town": "Rome"}']["status"] == "invalid"
    assert ran.xcom["land"]["counts"]["ok"] == 1
    found = [(one["value"], one["rows"], one["passed"]) for one in ran.xcom["land"]["checks"]]
    assert found == [(1.0, 1, True), (pytest.approx(5 / 6), 6, False)]


def test_a_check_of_ended_jobs_that_fails_fails_the_task_once_rows_have_landed(
    by_hand: Callable[..., str], tmp_path: Path
) -> None:
    ran = land(by_hand(), tmp_path / "rows.jsonl", checks=[length(between=(1, 2))])
    (error,) = ran.errors
    assert isinstance(error, ChecksFailed)
    assert error.manifest
    assert len(read(tmp_path / "rows.jsonl")) == 6
    (error,) = land(by_hand(), tmp_path / "none.jsonl", checks=[null_share("city", at_most=0)]).errors
    assert "not known to have fields. Nothing was landed" in str(error)
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"checks": [drift("city", within=0.1)]}, "rows of ended jobs are all new"),
        ({"checks": [null_share("town", at_most=0)], "output_type": Answer}, "It has city"),
        ({"checks": "city"}, "give a list of checks"),
        ({"on_check": "ignore"}, '"fail" or "warn"'),
    ],
)
def test_checks_of_ended_jobs_that_cannot_be_meant_are_refused_when_the_dag_is_parsed(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        GenAIBatchResultsOperator(task_id="land", job_names="batches/a", results_uri="a.jsonl", **settings)
