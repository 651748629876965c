"""Fallbacks beside other settings: what is at hand is not asked, a pilot is paid once, and each row lands once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.hooks.genai_batch import open_client
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.task.test_fallbacks import (
    KEYS,
    OTHER,
    PENDING,
    Build,
    calls,
    elsewhere,
    night,
    rows,
    stuck,
)

__all__ = ["elsewhere", "night"]
TEXTS = [f"Say {number}" for number in (*range(12), 3, 12)]
WAYS = pytest.mark.parametrize(
    ("fallback", "deferrable"),
    [({"model": OTHER}, True), ({"conn_id": "vertex"}, False), ("standard", True)],
    ids=str,
)


def requests(*texts: str, first: int = 0) -> list[dict[str, str]]:
    return [{"key": f"k{first + number:02}", "contents": text} for number, text in enumerate(texts)]


@pytest.fixture
def vertex(
    emulator: Emulator, cloud_storage: CloudStorage, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Emulator]:
    """Serve Vertex AI, under the connection of this name."""
    with Emulator(clock=emulator.clock, storage=cloud_storage) as running:
        monkeypatch.setenv("AIRFLOW_CONN_VERTEX", json.dumps(running.connection("vertex")))
        yield running


def paid(*emulators: Emulator) -> int:
    """Return how many requests were answered, in jobs and at once."""
    return sum(sum(job["rows"]["succeeded"] for job in one.jobs) + calls(one) for one in emulators)


@WAYS
def test_what_earlier_results_answer_is_not_asked_of_a_fallback_and_equal_requests_are_asked_once(
    night: Build, emulator: Emulator, vertex: Emulator, tmp_path: Path, fallback: Any, deferrable: bool
) -> None:
    uri = str(tmp_path / "last-night.jsonl")
    before = night({"model": OTHER}, source=lambda: requests(*TEXTS[:4]), results_uri=uri, reuse=True)
    before.run = "last night"
    earlier = before.go()
    assert earlier is not None, before.errors
    stuck(emulator)
    settings = {
        "reuse": True,
        "dedupe": True,
        "deferrable": deferrable,
        "source": lambda: requests(*TEXTS, first=50),
    }
    task = night(fallback, **settings)
    task.earlier, task.open_other = earlier, open_client
    manifest = task.go()
    assert manifest is not None, task.errors
    assert paid(emulator, vertex) == 4 + 9, "four were answered last night, and one is asked twice tonight"
    assert manifest["counts"]["ok"] == len(rows(task)) == len(TEXTS)
    assert manifest["counts"]["reused"] + manifest["counts"]["same"] == 5
    retry = night(fallback, after=task, **settings)
    retry.earlier, retry.open_other = earlier, open_client
    again = retry.go()
    assert again is not None, retry.errors
    assert (paid(emulator, vertex), again["counts"]["ok"]) == (13, len(TEXTS))


@pytest.mark.parametrize("fallback", [[{"model": OTHER}], [{"model": OTHER, "tier": "standard"}]], ids=str)
def test_what_another_model_has_answered_is_no_answer_of_the_tasks_own_in_the_next_night(
    night: Build, emulator: Emulator, fallback: list[Any]
) -> None:
    stuck(emulator)
    first = night(*fallback, reuse=True)
    earlier = first.go()
    assert earlier is not None, first.errors
    assert not any("asked" in row for row in rows(first).values())
    second = night(*fallback, reuse=True)
    second.run, second.earlier = "the next night", earlier
    manifest = second.go()
    assert manifest is not None, second.errors
    assert (manifest["counts"]["reused"], paid(emulator)) == (0, 40)
    third = night(*fallback, reuse=True)
    third.run, third.earlier = "the night after", manifest
    assert third.go() is not None, third.errors
    assert paid(emulator) == 40


@WAYS
def test_a_pilot_is_paid_once_and_the_fallback_asks_the_others(
    night: Build, emulator: Emulator, vertex: Emulator, fallback: Any, deferrable: bool
) -> None:
    stuck(emulator)
    task = night(fallback, pilot=4, deferrable=deferrable)
    task.open_other = open_client
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (manifest["counts"]["ok"], len(rows(task)), paid(emulator, vertex)) == (20, 20, 20)
    retry = night(fallback, after=task, pilot=4, deferrable=deferrable)
    retry.open_other = open_client
    assert retry.go() is not None, retry.errors
    assert paid(emulator, vertex) == 20


@WAYS
def test_rows_of_a_table_keep_their_columns_whoever_answers(
    night: Build, emulator: Emulator, vertex: Emulator, tmp_path: Path, fallback: Any, deferrable: bool
) -> None:
    table = tmp_path / "in.csv"
    table.write_text("\n".join(["id,word", *(f"{key},w{key}" for key in KEYS)]))
    emulator.script(JobScript())
    stuck(emulator)
    task = night(
        fallback,
        source=lambda: str(table),
        prompt="Say {word}",
        key="id",
        columns=["word"],
        max_requests_per_job=10,
        deferrable=deferrable,
    )
    task.open_other = open_client
    manifest = task.go()
    assert manifest is not None, task.errors
    found = rows(task)
    assert (manifest["counts"]["ok"], found.keys()) == (20, {*KEYS})
    assert {key: row["input"]["word"] for key, row in found.items()} == {key: f"w{key}" for key in KEYS}
    assert paid(emulator, vertex) == 20


@pytest.mark.parametrize("src", ["bq://p.d.t", "gs://bucket/requests.jsonl"])
def test_a_table_of_bigquery_that_lands_in_one_is_refused_when_the_dag_is_parsed(src: str) -> None:
    how = {"prompt": "Say {word}", "key": "id", "results_uri": "bq://p.d.out"} if src.startswith("bq") else {}
    with pytest.raises(ConfigurationError, match="fallbacks"):
        GenAIBatchOperator(
            task_id="ask",
            model="gemini-2.5-flash",
            src=src,
            pending_timeout=PENDING,
            fallbacks=["standard"],
            **how,
        )
