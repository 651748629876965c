"""Reads a task's parameters for the rows of a BigQuery table: which rows it reads, and where the answers go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, UnsupportedError
from airflow_provider_genai_batch.models import BatchDestination
from airflow_provider_genai_batch.requests.tables.row_settings import read_names
from airflow_provider_genai_batch.task.tables.typed import TypedTable, read_rename
from airflow_provider_genai_batch.wire.schemas.output_type import given_type
from airflow_provider_genai_batch.wire.tables.answers import AT_HAND_COLUMNS, OWN_COLUMNS
from airflow_provider_genai_batch.wire.tables.gates import TableGates
from airflow_provider_genai_batch.wire.tables.sql import (
    DatasetName,
    TableName,
    check_names,
    is_table,
    read_dataset,
    read_table,
)
from airflow_provider_genai_batch.wire.tables.types import Column, columns_of

TABLE_SETTINGS = ("key", "columns", "where", "staging", "rename", "max_bytes", "validate")
"""Parameters of the operator that apply to the rows of a BigQuery table."""
_OF_ALL_ROWS = ("key", "columns")
"""Those of them that also apply to rows from elsewhere."""


@dataclass(frozen=True)
class TableAsk:
    """The rows that are read, and the table that is written.

    Attributes:
        source: the table or view that is read.
        result: the table that is written.
        staging: the dataset that keeps snapshots, requests and answers for a while.
        key: columns that identify a row; empty: all columns together do.
        columns: columns of the source that are also in the result; None: all.
        where: the condition for rows; empty: all rows.
        rename: new names for columns of the answers.
        max_bytes: the most bytes that reading the source may scan; None: no limit.
        answers: columns of the answers; None: answers are text.
        streamed: whether rows pass through the worker, because the service does not read BigQuery, or because Python
            checks the answers.
        looks_back: whether answers of earlier results are used again, or equal requests are sent once.
    """

    source: TableName
    result: TableName
    staging: DatasetName
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    where: str = field(default="", repr=False)
    rename: Mapping[str, str] = field(default_factory=dict)
    max_bytes: int | None = None
    answers: tuple[Column, ...] | None = None
    streamed: bool = False
    looks_back: bool = False

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The names of columns that are neither the input's nor the answers'."""
        return (*OWN_COLUMNS, *(AT_HAND_COLUMNS if self.looks_back else ()))

    def looking_back(self) -> TableAsk:
        """Return a copy for a task with `reuse` or `dedupe`.

        Raises:
            InputError: column names clash.
        """
        ask = replace(self, looks_back=True)
        check_names([*(ask.columns or ()), *ask.answer_columns, *ask.own_columns], "The table of the results")
        return ask

    def gates(self, checks: Sequence[Check]) -> TableGates:
        """Return how BigQuery counts what checks look at in the result."""
        return TableGates(checks, self.answers, self.rename)

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The names of the answers' columns in the result."""
        return self.table.answer_columns

    @property
    def table(self) -> TypedTable:
        """The table that is written, without the columns of the input."""
        return TypedTable(self.result, self.answers, self.rename)


def read_ask(  # noqa: PLR0913 - the operator's parameters, each read once
    source: str,
    destination: BatchDestination | None,
    *,
    output_type: Any = None,
    key: Any = None,
    columns: Any = None,
    where: str | None = None,
    staging: str | None = None,
    rename: Mapping[str, str] | None = None,
    max_bytes: int | None = None,
    results_uri: str | None = None,
    streamed: bool = False,
) -> TableAsk:
    """Read the parameters for the rows of a table; see `GenAIBatchOperator`.

    Args:
        source: ``bq://project.dataset.table``.
        destination: the value of `dest`.
        output_type: the type of the answers.
        key: one column or several.
        columns: columns of the source that are also in the result.
        where: a condition in SQL.
        staging: a dataset.
        rename: new column names by the answers' names.
        max_bytes: the most bytes that a statement may scan.
        results_uri: the table that is written, if `dest` does not name it.
        streamed: see `TableAsk`.

    Raises:
        InputError, ConfigurationError: a value is not valid.
    """
    name, said = "dest", ""
    if destination is not None:
        said = destination.bigquery_uri or destination.gcs_uri or ""
    if results_uri is not None:
        if said:
            msg = f"The table that is written is given twice, as dest={said} and results_uri={results_uri}: keep one."
            raise ConfigurationError(msg)
        name, said = "results_uri", results_uri
    if not is_table(said) or said.count(".") < 2:
        msg = (
            f"With prompt and the table {source} as src, {name} names the table that is written: give "
            f"bq://project.dataset.table{f', not {said}' if said else ''}."
        )
        raise InputError(msg)
    result = read_table(said, name)
    own = read_table(source, "src")
    if (own.uri.lower(), own.dataset) == (result.uri.lower(), result.dataset):
        msg = f"{name} is {said}, the table that is read: name another one, it is replaced by each run."
        raise ConfigurationError(msg)
    answers = None if output_type is None else columns_of(given_type(output_type))
    renamed = read_rename(rename, TypedTable(result, answers).answer_columns)
    ask = TableAsk(
        own,
        result,
        result.place if staging is None else read_dataset(staging, "staging"),
        read_names("key", key) or (),
        read_names("columns", columns),
        _read_where(where),
        renamed,
        max_bytes,
        answers,
        streamed,
    )
    kept = ask.columns or ()
    check_names([*kept, *ask.answer_columns, *OWN_COLUMNS], "The table of the results")
    return ask


def refuse_table_settings(task: Any) -> None:
    """Refuse settings that do not apply: those for rows if `src` has requests, and those for a BigQuery table.

    Raises:
        ConfigurationError: such a setting is given.
    """
    given = [one for one in TABLE_SETTINGS if getattr(task, one) is not None]
    if task.prompt is None and given and given[0] in _OF_ALL_ROWS:
        msg = f"{given[0]} is for rows, and src has requests: give prompt, or leave {given[0]} out."
        raise ConfigurationError(msg)
    given = [one for one in given if one not in _OF_ALL_ROWS]
    if "rename" in given and isinstance(task.results_uri, str) and is_table(task.results_uri):
        given.remove("rename")
    if given:
        msg = (
            f"{given[0]} is for the rows of a table in BigQuery: give prompt, and src and results_uri as "
            f"bq://project.dataset.table, or leave {given[0]} out."
        )
        raise ConfigurationError(msg)


_NOT_IN_TABLES = ("media_uri", "keep", "fallbacks")
_NEVER_STREAMED = ("reuse", "dedupe")


def refuse_landing(task: Any, *, streamed: bool) -> None:
    """Refuse settings that do not work if rows land in a BigQuery table.

    Args:
        task: the settings of the task.
        streamed: whether it is known that rows pass through the worker.

    Raises:
        UnsupportedError, ConfigurationError: such a setting is given.
    """
    for name in _NOT_IN_TABLES:
        if getattr(task, name, None) not in (None, False):
            msg = f"The rows are written to a table in BigQuery, which has no place for it: leave {name} out."
            raise UnsupportedError(msg)
    for name in _NEVER_STREAMED if streamed else ():
        if getattr(task, name, None) not in (None, False):
            msg = (
                f"{name} looks for answers in BigQuery, for rows that stay there, and these pass the worker: leave "
                f'{name} out, or validate="python", on a connection to Vertex AI.'
            )
            raise UnsupportedError(msg)
    if task.wait is False:
        msg = "The table is written when the jobs have ended, so the task has to wait: leave wait out."
        raise ConfigurationError(msg)


def _read_where(given: Any) -> str:
    if given is None:
        return ""
    if not isinstance(given, str) or not given.strip():
        msg = f"where is {given!r}: give a condition over the columns, such as \"day = '2026-01-01'\"."
        raise ConfigurationError(msg)
    return given
