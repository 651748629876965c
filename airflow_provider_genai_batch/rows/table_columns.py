"""The columns of a table's rows, kept on disk for the rows that come back."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from pydantic_core import PydanticSerializationError, from_json, to_json

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.rows.table_prompt import Row
from airflow_provider_genai_batch.rows.table_values import json_value


class Columns:
    """Gives a row's columns by its place; of each row 8 bytes are held in memory.

    Args:
        stream: an empty file to keep them in.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._starts, self._at = stream, array("Q"), 0

    def kept(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass rows on and keep their columns.

        Raises:
            RequestError: JSON has no word for a value; without the row's number, which its reader knows.
        """
        for row in rows:
            data = _spelled(row)
            self._starts.append(self._at)
            self._at += len(data)
            self._stream.write(data)
            yield row

    def __len__(self) -> int:
        return len(self._starts)

    def __call__(self, index: int) -> Mapping[str, Any]:
        """Return the columns of the row at `index`, from 0; none of one that there is not."""
        if not 0 <= index < len(self._starts):
            return {}
        start = self._starts[index]
        end = self._starts[index + 1] if index + 1 < len(self._starts) else self._at
        self._stream.seek(start)
        found: dict[str, Any] = from_json(self._stream.read(end - start))
        return found


def _spelled(row: Row) -> bytes:
    try:
        return to_json({str(name): json_value(value) for name, value in row.items()})
    except (TypeError, PydanticSerializationError) as error:
        msg = f"a column has {error}"
        raise RequestError(msg) from error
