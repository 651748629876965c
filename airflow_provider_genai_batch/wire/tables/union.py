"""The statement that combines the tables of several parts into one."""

# ruff: noqa: S608 - names are checked where they are read

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_genai_batch.wire.tables.sql import TableName


def union(parts: Sequence[TableName], table: TableName, options: str) -> str:
    """Return the statement that combines the rows of tables with the same columns; it replaces an existing table."""
    rows = " UNION ALL ".join(f"SELECT * FROM {one}" for one in parts)
    return f"CREATE OR REPLACE TABLE {table} {options} AS {rows}"
