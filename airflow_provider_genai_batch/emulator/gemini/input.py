"""Reading what a Gemini batch is asked, at create, as the live service does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jsontypes import Json, JsonObject, dumps, known_only
from airflow_provider_genai_batch.emulator.spool import read_lines, write_lines

_LINE = frozenset({"key", "request", "metadata"})
_LARGEST_FILE = 2 * 1024**3


@dataclass(frozen=True)
class InputRow:
    """One request.

    Attributes:
        index: Place in the input, from 0.
        key: ``key`` of a file line, ``metadata.key`` of an inline request.
        request: The request as it came.
        metadata: Echoed with an inline result.
    """

    index: int
    key: str | None
    request: JsonObject
    metadata: JsonObject | None


def spool_inline(value: Json, path: Path) -> int:
    """Write inline requests as lines; return how many.

    Args:
        value: ``inputConfig.requests``, which holds ``requests`` again.
        path: Where the lines go.

    Raises:
        ApiError: 400 for another shape.
    """
    where = "batch.input_config.requests"
    requests = known_only(value, {"requests"}, where).get("requests")
    if not isinstance(requests, list) or not requests:
        raise ApiError(
            400, "* CreateBatchRequest.batch.input_config.requests: at least one request is required."
        )

    def lines() -> Iterator[bytes]:
        for index, one in enumerate(requests):
            row = known_only(one, {"request", "metadata"}, f"{where}.requests[{index}]")
            if not isinstance(row.get("request"), dict):
                message = f"Invalid value at '{where}.requests[{index}].request': expected an object."
                raise ApiError(400, message)
            if not isinstance(row.get("metadata", {}), dict):
                message = f"Invalid value at '{where}.requests[{index}].metadata': expected an object."
                raise ApiError(400, message)
            yield dumps(row)

    return write_lines(path, lines())


def check_file(path: Path) -> int:
    """Parse an input file; return how many rows it has.

    Captures of the live service: the file is parsed during create; one malformed row rejects the call.

    Raises:
        ApiError: 400 naming the line.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise ApiError(400, "The input file exceeds the limit of 2 GB.")
    count = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                _check_line(line, number)
                count += 1
    if not count:
        raise ApiError(400, "The input file contains no requests.")
    return count


def _check_line(line: bytes, number: int) -> None:
    try:
        row = json.loads(line)
    except ValueError as problem:
        message = f"Failed to parse the input file: line {number} is not valid JSON: {problem}"
        raise ApiError(400, message) from problem
    if not isinstance(row, dict):
        message = f"Failed to parse the input file: line {number}: expected an object."
        raise ApiError(400, message)
    unknown = sorted(set(row) - _LINE)
    if unknown:
        message = f"Failed to parse the input file: line {number}: no such field: '{unknown[0]}'."
        raise ApiError(400, message)
    if not isinstance(row.get("request"), dict):
        message = f"Failed to parse the input file: line {number}: 'request' must be an object."
        raise ApiError(400, message)
    if not isinstance(row.get("key", ""), str):
        message = f"Failed to parse the input file: line {number}: 'key' must be a string."
        raise ApiError(400, message)


def read_rows(path: Path) -> Iterator[InputRow]:
    """Yield the rows of a spooled input."""
    for index, line in enumerate(read_lines(path)):
        row: dict[str, Any] = json.loads(line)
        metadata = row.get("metadata")
        key = row.get("key", (metadata or {}).get("key"))
        yield InputRow(index, None if key is None else str(key), row["request"], metadata)
