"""Jobs of Claude and Llama side by side on a real Airflow, each by a list and from table to table."""

from __future__ import annotations

import json

import pytest

from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from tests.shared_airflow.unscheduled import SharedAirflow

pytestmark = pytest.mark.stack

ASKED = [{"role": "user", "content": "How deep is Como?"}]
COLUMNS = {
    "claude": {"request": {"messages": ASKED, "max_tokens": 9, "anthropic_version": "vertex-2023-10-16"}},
    "llama": {"method": "POST", "url": "/v1/chat/completions", "body": {"messages": ASKED}},
}


def test_a_dag_with_both_families_lands_rows_and_fills_tables(
    shared_airflow: SharedAirflow, big_query: BigQuery
) -> None:
    big_query.create_dataset("families")
    for name, columns in COLUMNS.items():
        spelled = {
            key: value if isinstance(value, str) else json.dumps(value) for key, value in columns.items()
        }
        rows = [{"custom_id": f"k{number}", **spelled} for number in range(3)]
        big_query.create_and_insert(f"families.{name}", [(key, "STRING") for key in rows[0]], rows)
    client = shared_airflow.airflow.client
    run = client.trigger("families")
    assert client.wait_for(run) == "success", shared_airflow.explain(run)
    for name in COLUMNS:
        landed = [
            json.loads(line) for line in (shared_airflow.results / f"{name}.jsonl").read_text().splitlines()
        ]
        assert {row["key"]: row["status"] for row in landed} == {"Como": "ok", "Garda": "ok"}
        assert all(row["text"] and row["usage"]["output"] for row in landed)
        manifest = client.xcom(run, f"{name}_table")
        assert (manifest["counts"]["total"], manifest["counts"]["ok"]) == (3, 3)
        answers = big_query.rows(f"{big_query.project}.families.{name}_answers")
        assert sorted(row["custom_id"] for row in answers) == ["k0", "k1", "k2"]
