"""The statement that combines the tables of several parts into one."""

# ruff: noqa: S608 - names are checked where they are read

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_genai_batch.wire.tables.sql import TableName, name


def union(parts: Sequence[tuple[TableName, Sequence[str]]], table: TableName, options: str) -> str:
    """Return the statement that combines the rows of tables; it replaces an existing table.

    Args:
        parts: the tables, and the columns of each: all have the same, in any order. BigQuery combines by position.
        table: the table to write.
        options: its ``OPTIONS``.
    """
    first = [*parts[0][1]]
    named = ", ".join(map(name, first))
    rows = " UNION ALL ".join(
        f"SELECT {'*' if [*columns] == first else named} FROM {one}" for one, columns in parts
    )
    return f"CREATE OR REPLACE TABLE {table} {options} AS {rows}"
