"""Fetches the rows of a query from a database as a stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from pydantic_core import PydanticSerializationError, to_json

from airflow_provider_genai_batch.exceptions import InputError, RequestError, ResultsNotWritten
from airflow_provider_genai_batch.models import SqlSource
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.requests.tables.row_settings import no_column
from airflow_provider_genai_batch.requests.tables.rows import row_name
from airflow_provider_genai_batch.requests.tables.values import json_value
from airflow_provider_genai_batch.task.files.files import spool

_CHUNK = 1024 * 1024
_MASK = (1 << 128) - 1
_CAST = "Cast it to text in the query, or leave it out."


class QueryRows(NamedTuple):
    """The answer of a database."""

    names: Sequence[str]
    """Names of the columns."""
    rows: Iterator[Sequence[Any]]
    """Rows of values, in the order of the columns; only some rows are in memory at a time."""


OpenQuery: TypeAlias = Callable[[SqlSource], AbstractContextManager[QueryRows]]


@dataclass(frozen=True)
class KeptRows:
    """Rows as JSON lines, which may be read several times.

    Attributes:
        name: their name in messages.
        chunks: yields their bytes in chunks, cut anywhere.
    """

    name: str
    chunks: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class FetchedRows:
    """The rows of a query on this machine's disk.

    Attributes:
        lines: a JSON object for each row.
        total: digest that does not depend on their order, 32 hex digits.
    """

    lines: BinaryIO
    total: str

    def chunks(self) -> Iterator[bytes]:
        """Yield their bytes."""
        self.lines.seek(0)
        while chunk := self.lines.read(_CHUNK):
            yield chunk


def words_of(query: SqlSource) -> str:
    """Name a query in messages."""
    return f"the query of connection {query.conn_id!r}"


def tag_of(query: SqlSource, key: str) -> str:
    """Return 16 hex digits for a query and its parameters in one task instance.

    Args:
        query: the query.
        key: key of the task instance.

    Raises:
        InputError: a parameter is of a type that JSON cannot represent.
    """
    try:
        parameters = json_value(query.parameters)
    except TypeError as error:
        msg = f"parameters of src have {error}: give text, a number, a date or bytes"
        raise InputError(msg) from error
    return digest([key, query.conn_id, query.sql, parameters])[:16]


def fetch_rows(
    open_query: OpenQuery, query: SqlSource, named: Mapping[str, str], stack: ExitStack
) -> FetchedRows:
    """Run a query and write its rows to this machine's disk.

    Args:
        open_query: runs a query.
        query: the query.
        named: required columns, each with the parameter that names it.
        stack: closes the files that are opened.

    Raises:
        InputError: a column is missing, occurs twice, or has a value that JSON cannot represent.
        ResultsNotWritten: this machine's disk is full.
    """
    lines, total, what = stack.enter_context(spool()), 0, words_of(query)
    with open_query(query) as (names, rows):
        _check_names(names, named, what)
        for number, values in enumerate(rows, 1):
            line = _line(names, values, row_name(number, what))
            total = (total + int.from_bytes(blake2b(line, digest_size=16).digest(), "little")) & _MASK
            try:
                lines.write(line)
            except OSError as error:
                msg = f"The rows of {what} could not be kept on this machine: {error}. Nothing was submitted for them."
                raise ResultsNotWritten(msg, job_names=()) from error
    return FetchedRows(lines, f"{total:032x}")


def _check_names(names: Sequence[str], named: Mapping[str, str], what: str) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        msg = f"{what} returns several columns with the name {twice[0]!r}: rename them with AS"
        raise InputError(msg)
    if missing := [name for name in named if name not in names]:
        raise no_column(missing[0], named[missing[0]], names).at(what)


def _line(names: Sequence[str], values: Sequence[Any], where: str) -> bytes:
    row: dict[str, Any] = {}
    name = ""
    try:
        for name, value in zip(names, values, strict=True):
            row[name] = json_value(value)
        return to_json(row) + b"\n"
    except TypeError as error:
        msg = f"column {name!r} has {error}"
        raise RequestError(msg, _CAST, where=where) from error
    except (ValueError, PydanticSerializationError) as error:
        msg = f"a column has a value that JSON cannot represent ({error})"
        raise RequestError(msg, _CAST, where=where) from error
