"""Answers of earlier nights are used again, and equal requests are asked once: a night costs what changed."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])


def ask(src: Any, out: Path, **settings: Any) -> Ran:
    settings = {"model": MODEL, "poll_interval": 0.05, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", src=src, results_uri=str(out), **settings))


def rows(path: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def asked(emulator: Emulator) -> list[int]:
    """Give the number of requests of each job."""
    return [int(job["rows"]["total"]) for job in emulator.jobs]


def numbered(*numbers: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"key": f"k{first + place}", "contents": f"Say {number}"} for place, number in enumerate(numbers)]


@EVERY_WAY
def test_a_second_night_asks_what_changed_alone(gemini: Emulator, tmp_path: Path, deferrable: bool) -> None:
    out = tmp_path / "rows.jsonl"
    how = {"reuse": True, "deferrable": deferrable}
    ran = ask(numbered(*range(10)), out, **how)
    assert ran.state == "success", ran.errors
    before = rows(out)
    assert ran.xcom["ask"]["counts"]["reused"] == 0
    assert all(row["asked"] and row["answered_at"] and "reused_from" not in row for row in before.values())
    ran = ask(numbered(0, 1, 2, 3, 4, 55, 6, 7, 8, 9, first=100), out, **how)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [10, 1]
    after = rows(out)
    assert [*sorted(after)] == [f"k{number}" for number in range(100, 110)]
    assert {row["index"] for row in after.values()} <= {*range(10), None}
    for number in {*range(10)} - {5}:
        row = after[f"k{100 + number}"]
        assert row["reused_from"] == str(out)
        assert {name: row[name] for name in ("text", "asked", "answered_at", "usage")} == {
            name: before[f"k{number}"][name] for name in ("text", "asked", "answered_at", "usage")
        }
    assert "reused_from" not in after["k105"]
    manifest = ran.xcom["ask"]
    assert (manifest["counts"]["reused"], manifest["counts"]["ok"]) == (9, 10)
    assert manifest["saved"]["usage"]["total"] == sum(
        before[f"k{n}"]["usage"]["total"] for n in range(10) if n != 5
    )
    assert manifest["usage"] == after["k105"]["usage"]
    ran = ask(numbered(*range(5)), out, **how)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [10, 1]
    assert ran.xcom["ask"]["job_names"] == []
    assert ran.xcom["ask"]["cost"]["usd"] == 0
    assert [*tmp_path.iterdir()] == [out]


def test_where_each_run_has_a_file_of_its_own_the_manifest_of_the_run_before_says_which(
    gemini: Emulator, tmp_path: Path
) -> None:
    out = tmp_path / "{{ run_id }}.jsonl"

    def fill() -> None:
        GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=numbered(1, 2),
            results_uri=str(out),
            reuse=True,
            poll_interval=0.05,
        )

    ran = run_dag(fill, runs=2)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [2]
    assert (ran.xcom["ask"]["counts"]["reused"], len([*tmp_path.iterdir()])) == (2, 2)


def test_objects_that_are_read_in_place_are_left_out_one_by_one(vertex: Emulator) -> None:
    folder = f"gs://emulator-staging/{uuid4().hex}"
    for number, names in enumerate(((1, 2, 3), (3, 4, 1))):
        lines = [
            {"key": f"{number}-{name}", "request": {"contents": [{"parts": [{"text": f"Say {name}"}]}]}}
            for name in names
        ]
        with client() as service:
            data = "".join(json.dumps(line) + "\n" for line in lines).encode()
            service.upload(BytesIO(data), f"{folder}/in-{number}.jsonl")
        ran = run_dag(
            lambda number=number: GenAIBatchOperator(
                task_id="ask",
                model=MODEL,
                src=f"{folder}/in-{number}.jsonl",
                dest=f"{folder}/out/",
                results_uri=f"{folder}/rows-{number}.jsonl",
                reuse=f"{folder}/rows-*.jsonl",
                deferrable=bool(number),
                poll_interval=0.05,
            )
        )
        assert ran.state == "success", ran.errors
    assert asked(vertex) == [3, 1]
    counts = ran.xcom["ask"]["counts"]
    assert (counts["ok"], counts["reused"]) == (3, 2)
    with client() as service:
        landed = [
            json.loads(line) for line in b"".join(service.download(f"{folder}/rows-1.jsonl")).splitlines()
        ]
    assert {row["key"]: row.get("reused_from") for row in landed} == {
        "1-3": f"{folder}/rows-0.jsonl",
        "1-4": None,
        "1-1": f"{folder}/rows-0.jsonl",
    }


@EVERY_WAY
def test_equal_requests_are_asked_once_and_each_key_has_its_row(
    gemini: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    gemini.script(JobScript(row_errors={1: 13}))
    out = tmp_path / "rows.jsonl"
    ran = ask(numbered(0, 1, 0, 2, 1, 0), out, dedupe=True, deferrable=deferrable, retry_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert asked(gemini) == [3, 1]
    found = rows(out)
    assert {key: row.get("same_as") for key, row in found.items()} == {
        **dict.fromkeys(("k0", "k1", "k3")),
        "k2": "k0",
        "k5": "k0",
        "k4": "k1",
    }
    assert found["k4"]["text"] == found["k1"]["text"] != found["k0"]["text"]
    assert found["k4"]["round"] == found["k1"]["round"] == 1
    counts = ran.xcom["ask"]["counts"]
    assert (counts["total"], counts["ok"], counts["same"]) == (6, 6, 3)
    assert ran.xcom["ask"]["usage"]["total"] == sum(
        row["usage"]["total"] for row in found.values() if "same_as" not in row
    )
