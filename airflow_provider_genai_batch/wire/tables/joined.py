"""The statement that joins the rows of a snapshot with answers that were loaded into a table."""

# ruff: noqa: S608 - names are checked where they are read

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_genai_batch.wire.tables.answers import KEY
from airflow_provider_genai_batch.wire.tables.sql import InnerQuery, TableName, name


@dataclass(frozen=True)
class Joined:
    """The user's table: columns of the input and of the loaded rows side by side.

    Attributes:
        inputs: the snapshot.
        kept: its columns that come back.
        rows: the table with the loaded rows.
        answers: the columns of that table that hold answers.
    """

    inputs: TableName | InnerQuery
    kept: Sequence[str]
    rows: TableName | InnerQuery
    answers: Sequence[str]

    def create(self, table: TableName, options: str) -> str:
        """Return the statement; it replaces an existing table."""
        columns = [f"s.{name(one)} AS {name(one)}" for one in self.kept]
        columns += [f"r.{name(one)} AS {name(one)}" for one in self.answers]
        columns += [
            "IFNULL(r.row_status, 'missing') AS row_status",
            "r.row_error AS row_error",
            "r.tokens AS tokens",
            f"s.{KEY} AS {KEY}",
        ]
        return (
            f"CREATE OR REPLACE TABLE {table} {options} AS SELECT {', '.join(columns)} "
            f"FROM {self.inputs} AS s LEFT JOIN {self.rows} AS r ON r.{KEY} = s.{KEY}"
        )
