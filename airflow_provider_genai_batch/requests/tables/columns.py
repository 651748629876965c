"""The columns of a table's rows, kept on disk until the rows come back."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from pydantic_core import PydanticSerializationError, from_json, to_json

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.requests.tables.values import Row, json_value


class Columns:
    """Returns a row's columns by its place; holds 8 bytes of memory for each row.

    Args:
        stream: an empty file to keep them in.
        chosen: names of the columns to keep; None: all.
    """

    def __init__(self, stream: BinaryIO, chosen: Sequence[str] | None = None) -> None:
        self._stream, self._starts, self._at = stream, array("Q"), 0
        self._chosen = chosen
        self._kinds: dict[str, set[str]] | None = None
        self._alike = True

    def kept(self, batches: Iterable[Sequence[Row]]) -> Iterator[list[Row]]:
        """Pass rows on, several at a time, and keep their columns.

        Raises:
            RequestError: JSON cannot represent a value. It has no row number; the row's reader adds it.
        """
        for rows in batches:
            passed: list[Row] = []
            for row in rows:
                try:
                    data = self._seen(row if self._chosen is None else self._cut(row, self._chosen))
                except RequestError:
                    yield passed
                    raise
                self._starts.append(self._at)
                self._at += len(data)
                self._stream.write(data)
                passed.append(row)
            yield passed

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON Schema of all rows together; None if their names differ or there are no rows."""
        if not self._kinds or not self._alike:
            return None
        columns = {name: _SCHEMAS.get(frozenset(kinds - {"null"}), {}) for name, kinds in self._kinds.items()}
        return {"type": "object", "properties": columns, "required": [*columns]}

    @staticmethod
    def _cut(row: Row, chosen: Sequence[str]) -> Row:
        """Return the chosen columns; another check reports missing ones."""
        return {name: row[name] for name in chosen if name in row}

    def _seen(self, row: Row) -> bytes:
        """Serialize a row, and note the kinds of its columns."""
        plain = _plain(row)
        if self._kinds is None:
            self._kinds = {name: set() for name in plain}
        if plain.keys() == self._kinds.keys():
            for name, value in plain.items():
                self._kinds[name].add(_kind(value))
        else:
            self._alike = False
        return _spelled(plain)

    def __len__(self) -> int:
        return len(self._starts)

    def __call__(self, index: int) -> Mapping[str, Any]:
        """Return the columns of the row at `index`, from 0; empty if there is no such row."""
        if not 0 <= index < len(self._starts):
            return {}
        start = self._starts[index]
        end = self._starts[index + 1] if index + 1 < len(self._starts) else self._at
        self._stream.seek(start)
        found: dict[str, Any] = from_json(self._stream.read(end - start))
        return found


_SCHEMAS: dict[frozenset[str], dict[str, Any]] = {
    frozenset(kinds): {"type": kind}
    for kind, kinds in {
        "string": ["string"],
        "boolean": ["boolean"],
        "integer": ["integer"],
        "number": ["number"],
    }.items()
}
_INT64 = 1 << 63


def _kind(value: Any) -> str:
    """Return the JSON Schema type if a typed column can hold the value as it is; else ``any``."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -_INT64 <= value < _INT64 else "any"
    return {str: "string", float: "number", type(None): "null"}.get(type(value), "any")


def _plain(row: Row) -> dict[str, Any]:
    try:
        return {str(name): json_value(value) for name, value in row.items()}
    except TypeError as error:
        msg = f"a column has {error}"
        raise RequestError(msg) from error


def _spelled(row: Mapping[str, Any]) -> bytes:
    try:
        return to_json(row)
    except (TypeError, PydanticSerializationError) as error:
        msg = f"a column has {error}"
        raise RequestError(msg) from error
