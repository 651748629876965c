"""A group asks an input in parts, and leaves one table in the order of the input."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from airflow.providers.common.compat.sdk import task

from airflow_provider_genai_batch.checks import drift, length, share
from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import ChecksFailed, ConfigurationError, InputError
from airflow_provider_genai_batch.hooks.genai_batch import read_rows
from airflow_provider_genai_batch.models import ResultRow, Reuse
from airflow_provider_genai_batch.operators.genai_batch import genai_batch_group
from airflow_provider_genai_batch.operators.parts import GenAIBatchMergeOperator
from airflow_provider_genai_batch.results.digest import digest_of
from airflow_provider_genai_batch.task.files.objects import listed
from tests.dags import Ran, run_dag
from tests.emulator.test_bigquery import client_of
from tests.operators.scenes import MODEL, client
from tests.operators.test_table_to_table import texts
from tests.operators.test_typed_tables import both

__all__ = ["both", "texts"]

ASK = {"model": MODEL, "poll_interval": 0.01}


def requests(rows: int, *, first: int = 0, keyed: bool = False) -> str:
    keys = [f'"key": "k{number}", ' if keyed else "" for number in range(rows)]
    return "".join(
        f'{{{key}"request": {{"contents": [{{"parts": [{{"text": "Say {first + number}"}}]}}]}}}}\n'
        for number, key in enumerate(keys)
    )


def group(**settings: Any) -> None:
    genai_batch_group("all", **{**ASK, **settings})


def rows_of(ran: Ran) -> list[ResultRow]:
    assert ran.state == "success", (ran.states, ran.errors)
    return [*read_rows(ran.xcom["all.merge"])]


def test_one_file_is_cut_and_its_rows_are_one_table_again(gemini: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(requests(10))
    ran = run_dag(
        lambda: group(
            src=str(tmp_path / "in.jsonl"), parts=3, ordered=True, results_uri=str(tmp_path / "out.jsonl.gz")
        )
    )
    rows = rows_of(ran)
    assert [(row.key, row.index, row.text) for row in rows] == [
        (f"r{number:08d}", number, f"Answer to: Say {number}") for number in range(10)
    ]
    manifest = ran.xcom["all.merge"]
    assert manifest["counts"]["ok"] == manifest["plan"]["requests"] == 10
    assert len(manifest["job_names"]) == len(gemini.jobs) == 3
    assert manifest["usage"]["total"] == sum(row.usage.total for row in rows if row.usage)


def test_objects_that_vertex_reads_in_place_are_grouped(vertex: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl"
    for number in range(5):
        path.write_text(requests(2, first=2 * number))
        with client() as service:
            service.upload(path, f"gs://emulator-staging/group/{number}.jsonl")
    ran = run_dag(
        lambda: group(
            src="gs://emulator-staging/group/*.jsonl",
            parts=2,
            dest="gs://emulator-staging/group-out/",
            results_uri="gs://emulator-staging/group-rows/out.jsonl",
        )
    )
    assert {row.text for row in rows_of(ran)} == {f"Answer to: Say {number}" for number in range(10)}
    assert {row.key for row in rows_of(ran)} == {f"r{number:08d}" for number in range(10)}
    assert len(vertex.jobs) == 2


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_rows_of_a_table_with_keys_of_their_own_have_their_places_in_the_whole(
    gemini: Emulator, tmp_path: Path, name: str
) -> None:
    (tmp_path / "in.csv").write_text("id,city\n" + "".join(f"c{number},C{number}\n" for number in range(5)))
    ran = run_dag(
        lambda: group(
            src=tmp_path / "in.csv",
            prompt="Say {city}",
            key="id",
            parts=2,
            results_uri=tmp_path / name,
        )
    )
    assert sorted((row.key, row.index) for row in rows_of(ran)) == [(f"c{n}", n) for n in range(5)]


def test_nothing_is_asked_where_a_row_of_any_part_is_bad(gemini: Emulator, tmp_path: Path) -> None:
    rows = [{"id": number, "city": f"C{number}"} for number in range(4)]
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, {"id": 1, "city": "C"}, {"id": 5, "city": None}])
    )
    asked = {"src": tmp_path / "in.jsonl", "parts": 2, "results_uri": tmp_path / "out.jsonl"}
    (error,) = run_dag(lambda: group(**asked, prompt="Say {city}")).errors
    assert "row 6 of" in str(error)
    (error,) = run_dag(lambda: group(**asked, prompt="Say {id}", key="id")).errors
    assert "row 5 of" in str(error)
    assert gemini.jobs == []


def test_parts_that_vertex_reads_in_place_ask_for_the_type(vertex: Emulator, tmp_path: Path) -> None:
    folder = f"gs://emulator-staging/{uuid4().hex}"
    (tmp_path / "in.jsonl").write_text(requests(2))
    asked = {
        "src": tmp_path / "in.jsonl",
        "parts": 2,
        "dest": f"{folder}/out/",
        "results_uri": f"{folder}/rows.jsonl",
    }
    rows = rows_of(run_dag(lambda: group(**asked, output_type=dict[str, int])))
    assert {row.status for row in rows} == {"ok"}
    (error,) = run_dag(lambda: group(**asked, request_defaults={"temperature": 0.1})).errors
    assert "put the fields into the requests" in str(error)
    assert len(vertex.jobs) == 2


def test_files_that_mapped_tasks_wrote_are_asked(gemini: Emulator, tmp_path: Path) -> None:
    def fill() -> None:
        @task
        def export(number: int) -> str:
            path = tmp_path / f"{number}.jsonl"
            path.write_text(requests(2, first=2 * number))
            return str(path)

        group(src=export.expand(number=[0, 1]), results_uri=str(tmp_path / "out.jsonl"))

    assert {row.text for row in rows_of(run_dag(fill))} == {f"Answer to: Say {n}" for n in range(4)}


def test_files_of_parts_in_one_bucket_are_joined_there(vertex: Emulator, tmp_path: Path) -> None:
    path, folder = tmp_path / "in.jsonl", f"gs://emulator-staging/{uuid4().hex}"
    path.write_text(requests(10))
    ran = run_dag(
        lambda: group(
            src=str(path),
            parts=3,
            dest=f"{folder}/out/",
            results_uri=f"{folder}/rows.jsonl.gz",
        )
    )
    assert sorted((row.key, row.text) for row in rows_of(ran)) == [
        (f"r{number:08d}", f"Answer to: Say {number}") for number in range(10)
    ]
    with client() as service:
        whole = b"".join(service.download(f"{folder}/rows.jsonl.gz"))
        left = listed(service, f"{folder}/*")
    assert ran.xcom["all.merge"]["results_digest"] == digest_of(BytesIO(whole))
    assert [name for name in left if ".joined-" in name] == []
    assert len(vertex.jobs) == 3


def test_the_tables_of_parts_become_one_table(both: Emulator, texts: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        "id,text\n" + "".join(f"k{number},Good {number}\n" for number in range(5))
    )
    (tmp_path / "more.csv").write_text("id,text\nk5,Good 5\n")
    table = f"{texts}_all"
    ran = run_dag(
        lambda: group(
            src=[str(tmp_path / "in.csv"), str(tmp_path / "more.csv")],
            prompt="Judge: {text}",
            key="id",
            results_uri=f"bq://{table}",
        )
    )
    assert ran.state == "success", ran.errors
    rows = sorted((row["genai_key"], row["answer"], row["row_status"]) for row in both.bigquery.rows(table))
    assert rows == [(f"k{number}", f"Answer to: Judge: Good {number}", "ok") for number in range(6)]
    manifest = ran.xcom["all.merge"]
    assert manifest["counts"]["ok"] == 6
    assert [job for job in manifest["bigquery"]["jobs"] if job.startswith("genai_merge_")]
    parts = [place["results_uri"].removeprefix("bq://") for place in ran.xcom["all.split"]]
    with closing(client_of(both.bigquery)) as google:
        assert all(google.get_table(one).expires for one in parts)


def test_parts_may_stay_files_of_a_dataset(gemini: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(requests(5))

    def ask(parts: int) -> Ran:
        return run_dag(
            lambda: group(
                src=str(tmp_path / "in.jsonl"),
                parts=parts,
                results_uri=f"{tmp_path}/rows-*.parquet",
                retries=0,
            )
        )

    ran = ask(3)
    assert {row.key: row.text for row in rows_of(ran)} == {
        f"r{number:08d}": f"Answer to: Say {number}" for number in range(5)
    }
    files = [f"rows-{number:05d}.parquet" for number in range(3)]
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == files
    again = ask(2)
    assert "rows-00002.parquet" in str(again.errors[0])
    assert "none of this run's 2 parts" in str(again.errors[0])
    assert len(gemini.jobs) == 3


def test_a_group_asks_what_changed_since_the_table_of_the_night_before(
    gemini: Emulator, tmp_path: Path
) -> None:
    """Wherever a request stands in the input, and in whichever part."""
    src, out = tmp_path / "in.jsonl", str(tmp_path / "rows.jsonl.gz")
    how = {"src": str(src), "results_uri": out, "reuse": out, "dedupe": True, "max_cost": 9.0}
    src.write_text(requests(7, first=0, keyed=True))
    first = rows_of(run_dag(lambda: group(**how, parts=2)))
    src.write_text(requests(9, first=3, keyed=True))
    ran = run_dag(lambda: group(**how, parts=3))
    second = sorted(rows_of(ran), key=lambda row: str(row.key))
    assert sum(int(job["rows"]["total"]) for job in gemini.jobs) == 7 + 5
    assert [row.key for row in second] == [f"k{number}" for number in range(9)]
    assert [row.text for row in second] == [f"Answer to: Say {number}" for number in range(3, 12)]
    assert [row.reused_from for row in second] == [out] * 4 + [None] * 5
    counts = ran.xcom["all.merge"]["counts"]
    assert (counts["ok"], counts["reused"], len(first)) == (9, 4, 7)


def test_the_rows_of_all_parts_are_judged_together(gemini: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(requests(8, keyed=True))
    gemini.script(JobScript(row_errors={0: 13, 1: 13}))

    def ask(name: str, share: float, most: float = 100) -> Ran:
        return run_dag(
            lambda: group(
                src=str(tmp_path / "in.jsonl"),
                parts=2,
                results_uri=str(tmp_path / name),
                max_failed_rows=share,
                checks=[length(between=(10, most))],
                retries=0,
            )
        )

    ran = ask("one.jsonl", 0.1)
    assert ran.states == {"all.split": "success", "all.ask": "success", "all.merge": "failed"}
    assert "2 of 8 rows of all parts failed (2 error)" in str(ran.errors[-1])
    assert len((tmp_path / "one.jsonl").read_text().splitlines()) == 8
    gemini.script(JobScript(row_errors={0: 13, 1: 13}))
    ran = ask("two.jsonl", 0.25, 10)
    assert ran.states == {"all.split": "success", "all.ask": "success", "all.merge": "failed"}
    assert isinstance(ran.errors[-1], ChecksFailed)
    assert "length is 16 in 6 rows, not between 10 and 10" in str(ran.errors[-1])
    assert len((tmp_path / "two.jsonl").read_text().splitlines()) == 8


def test_nothing_is_asked_where_a_request_of_any_part_is_bad(gemini: Emulator, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(requests(5, keyed=True) + requests(1, keyed=True))
    ran = run_dag(
        lambda: group(src=str(tmp_path / "in.jsonl"), parts=3, results_uri=str(tmp_path / "out.jsonl"))
    )
    assert "line 6" in str(ran.errors[0])
    assert "key" in str(ran.errors[0])
    assert gemini.jobs == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "parts or rows_per_part"),
        ({"parts": 0}, "whole number from 1"),
        ({"parts": 2, "rows_per_part": 5}, "give one of them"),
        ({"parts": 2, "pilot": 5}, "takes no pilot"),
        ({"parts": 2, "checks": [drift("a", within=0.1)], "reuse": "a.jsonl"}, "does not know the shares"),
        ({"parts": 2, "reuse": True}, "night before"),
        ({"parts": 2, "reuse": Reuse(max_age=timedelta(days=30))}, "night before"),
        ({"parts": 2, "reuse": ["a.jsonl", True]}, "night before"),
        ({"parts": 2, "src": "bq://p.d.t"}, "BigQuery divides"),
        ({"parts": 2, "src": []}, "empty list"),
        ({"parts": 2, "max_active_jobs": 0}, "max_active_jobs"),
        ({"parts": 2, "results_uri": "out.txt"}, "results_uri"),
        ({"parts": 2, "results_uri": "*/out.jsonl"}, "one \\*"),
        ({"parts": 2, "results_uri": "rows-*.jsonl", "prompt": "{text}"}, "say with key"),
        ({"parts": 2, "results_uri": "bq://p.d.t", "prompt": "{text}"}, "say with key"),
    ],
)
def test_what_cannot_work_is_said_when_the_dag_is_parsed(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigurationError, InputError), match=said):
        _build(**{"src": "in.jsonl", "results_uri": "out.jsonl", **wrong})


def _build(**settings: Any) -> None:
    from airflow.sdk import DAG

    with DAG("parsed", schedule=None):
        group(**settings)


def test_templates_in_checks_are_rendered_in_the_parts_and_where_they_are_merged() -> None:
    from airflow.sdk import DAG
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    checks = [share("label", "{{ word }}", between=(0.1, 0.2))]
    with DAG("parsed", schedule=None) as dag:
        group(src="in.jsonl", parts=2, results_uri="out.jsonl", checks=checks, output_type="label STRING")
    ask, merge, context = dag.task_dict["all.ask"], dag.task_dict["all.merge"], {"word": "good"}
    assert isinstance(ask, MappedOperator)
    assert isinstance(merge, GenAIBatchMergeOperator)
    assert ask.partial_kwargs["checks"] == merge.checks == checks
    (rendered,) = merge.render_template(merge.checks, context)  # type: ignore[arg-type]
    assert rendered.name == "share of label = 'good'"


def test_the_parts_keep_what_they_are_given() -> None:
    from airflow.sdk import DAG, Asset

    with DAG("parsed", schedule=None) as dag:
        group(
            src="in.jsonl", parts=2, results_uri="out.jsonl", retries=3, pool="paid", outlets=[Asset("table")]
        )
    assert {task.retries for task in dag.tasks} == {3}
    assert {task.pool for task in dag.tasks} == {"paid"}
    assert [name for name, task in dag.task_dict.items() if task.outlets] == ["all.merge"]
    assert json.dumps(sorted(dag.task_dict)) == '["all.ask", "all.merge", "all.split"]'
