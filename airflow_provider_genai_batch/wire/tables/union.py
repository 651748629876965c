"""The statement that makes one table of the tables of parts."""

# ruff: noqa: S608 - names are checked where they are read

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_genai_batch.wire.tables.sql import TableName


def union(parts: Sequence[TableName], table: TableName, options: str) -> str:
    """Spell the statement that puts the rows of tables with the same columns into one; it replaces what was there."""
    rows = " UNION ALL ".join(f"SELECT * FROM {one}" for one in parts)
    return f"CREATE OR REPLACE TABLE {table} {options} AS {rows}"
