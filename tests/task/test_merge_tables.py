"""Tables of parts become one, column by column."""

from __future__ import annotations

from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.task.parts.merge_tables import merge_tables
from tests.emulator.test_bigquery import client_of


def merged(emulator: Emulator, *parts: str) -> list[dict[str, Any]]:
    """Make a table of each SELECT, and return the rows of all in one table."""
    table = f"{emulator.bigquery.project}.tests.t{uuid4().hex}"
    with closing(client_of(emulator.bigquery)) as google:
        for number, sql in enumerate(parts):
            google.query(f"CREATE OR REPLACE TABLE `{table}_{number}` AS {sql}").result()
    manifests = [
        Manifest(backend="vertex", state="SUCCEEDED", job_names=(), results_uri=f"bq://{table}_{number}")
        for number in range(len(parts))
    ]
    with GenAIBatchHook().get_conn() as client:
        merge_tables(manifests, client, f"bq://{table}", {})
    return sorted((dict(row) for row in emulator.bigquery.rows(table)), key=str)


def test_columns_are_joined_by_name_in_whichever_order_a_part_has_them(vertex: Emulator) -> None:
    rows = merged(vertex, "SELECT 'a' AS one, 'b' AS two", "SELECT 'd' AS two, 'c' AS one")
    assert rows == [{"one": "a", "two": "b"}, {"one": "c", "two": "d"}]


@pytest.mark.parametrize("other", ["SELECT 'c' AS one", "SELECT 'c' AS one, 1 AS two"])
def test_parts_whose_columns_differ_are_refused(vertex: Emulator, other: str) -> None:
    with pytest.raises(InputError, match=r"different columns \(two\)"):
        merged(vertex, "SELECT 'a' AS one, 'b' AS two", other)
