"""A sample of a BigQuery table's rows is asked by immediate calls, and its answers land with the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from airflow_provider_genai_batch.exceptions import ConfigurationError, PilotFailed
from airflow_provider_genai_batch.models import Pilot
from tests.operators.test_table_to_table import die_behind_each_statement, keys_asked
from tests.task.test_pilot import asked_at_once
from tests.task.test_table_pilot import texts
from tests.task.test_table_reuse import ask, counts, found, rerun

__all__ = ["texts"]

TYPED: dict[str, Any] = {"output_type": "good BOOL, tags ARRAY<STRING>"}


class Model:
    """Answers in JSON, or in words while it is broken."""

    broken = False

    def __call__(self, request: Mapping[str, Any]) -> str:
        """Answer."""
        if self.broken:
            return "I would rather not."
        return json.dumps({"good": True, "tags": [request["contents"][0]["parts"][0]["text"][-1]]})


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def emulator_settings(model: Model) -> dict[str, Any]:
    """Let jobs end at once."""
    return {"lifecycle": Lifecycle.at_once(), "answer": model}


def test_a_sample_is_asked_at_once_and_stands_in_the_table_beside_the_others(
    vertex: Emulator, texts: str
) -> None:
    manifest = ask(texts, pilot=3, dedupe=True, max_requests_per_job=2, **TYPED)
    assert counts(manifest) == {"total": 8, "ok": 8, "same": 1}
    assert (manifest["plan"]["pilot"], manifest["plan"]["requests"]) == (3, 7)
    assert asked_at_once(vertex) == 3
    assert len({*keys_asked(vertex)}) == 4
    assert {*Counter(keys_asked(vertex)).values()} == {1}
    rows = found(vertex, texts)
    assert {number: row["tags"] for number, row in rows.items()} == {n: [f"{n % 7}"] for n in range(8)}
    assert all(row["tokens"]["total"] and row["answered_at"] for row in rows.values())
    assert manifest["tiers"] == {"batch": 4, "standard": 3}
    bases = {one["basis"] for one in manifest["cost"]["models"]}
    assert bases == {"batch", "standard"}
    own = manifest["plan"]["cost"]["batch"]
    assert own["least"] <= manifest["cost"]["usd"] <= own["most"]


def test_a_broken_prompt_costs_the_pilot_alone_and_failed_rows_are_asked_again_in_a_job(
    vertex: Emulator, texts: str, model: Model
) -> None:
    model.broken = True
    with pytest.raises(PilotFailed, match=r"3 of its 3 rows failed \(tier standard\).*the other 5") as failed:
        ask(texts, run="tonight", pilot=3, **TYPED)
    assert failed.value.manifest is not None
    assert failed.value.manifest["tiers"] == {"standard": 3}
    with pytest.raises(PilotFailed):
        rerun(texts, run="tonight", pilot=3, **TYPED)
    assert (asked_at_once(vertex), vertex.jobs) == (3, [])
    assert not vertex.bigquery.table_exists(f"{texts}_out")

    model.broken = False
    allowed = Pilot(3, max_failed=3)
    manifest = rerun(texts, run="tonight", pilot=allowed, retry_failed_rows=1, **TYPED)
    assert counts(manifest) == {"total": 8, "ok": 8}
    assert (manifest["tiers"], manifest["rounds"]) == ({"batch": 8}, 3)
    assert {*Counter(keys_asked(vertex)).values()} == {1}
    assert asked_at_once(vertex) == 3


def test_a_worker_that_dies_behind_each_statement_pays_for_no_row_twice(
    vertex: Emulator, texts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = die_behind_each_statement(monkeypatch)
    manifest = ask(texts, tries=9, reuse=None, pilot=3)
    assert died == ["inputs", "check", "requests", "answers", "usage", "tiers", "result", "counts"]
    assert counts(manifest) == {"total": 8, "ok": 8}
    assert (asked_at_once(vertex), len(vertex.jobs)) == (3, 1)
    assert {row["row_status"] for row in found(vertex, texts).values()} == {"ok"}


def test_rows_that_pass_the_worker_have_such_a_pilot_too(vertex: Emulator, texts: str) -> None:
    manifest = ask(texts, reuse=None, pilot=3, validate="python", **TYPED)
    assert (counts(manifest), manifest["tiers"]) == ({"total": 8, "ok": 8}, {"standard": 3, "batch": 5})
    assert asked_at_once(vertex) == 3
    assert {row["row_status"] for row in found(vertex, texts).values()} == {"ok"}


def test_a_pilot_whose_answers_have_no_place_is_refused_with_what_to_do(
    vertex: Emulator, texts: str, monkeypatch: pytest.MonkeyPatch, genai_batch_conn_id: str
) -> None:
    connection = vertex.connection("vertex")
    del connection["extra"]["staging_uri"]
    monkeypatch.setenv(f"AIRFLOW_CONN_{genai_batch_conn_id.upper()}", json.dumps(connection))
    with pytest.raises(
        ConfigurationError, match=r"Set staging_uri in the connection, or send .*tier=\"batch\""
    ):
        ask(texts, pilot=3)
    assert asked_at_once(vertex) == 0
