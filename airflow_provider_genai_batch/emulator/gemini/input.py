"""Reads the input of a Gemini batch at create, as the live service does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.gemini.columns import column
from airflow_provider_genai_batch.emulator.jobs.spool import read_lines, write_lines
from airflow_provider_genai_batch.emulator.jsontypes import Json, JsonObject, dumps, loads
from airflow_provider_genai_batch.emulator.model.refused.fields import DEEP, TWICE, UNKNOWN, Problem, check
from airflow_provider_genai_batch.emulator.model.refused.wording import MOST, shown, text, violations

_INLINE = "batch.input_config.requests"
_PACKAGE = "google.ai.generativelanguage.v1beta"
_OPENINGS = dict.fromkeys(
    ("TYPE_STRING", "TYPE_BYTES", "TYPE_ENUM", "Type", "Duration", "Timestamp"), '"'
) | {"[": "["}
_LARGEST_FILE = 2 * 1024**3
_DEEPEST = 100


@dataclass(frozen=True)
class InputRow:
    """One request.

    Attributes:
        index: The position in the input, from 0.
        key: ``key`` of a file line, ``metadata.key`` of an inline request.
        request: The request as received.
        metadata: Returned with an inline result.
    """

    index: int
    key: str | None
    request: JsonObject
    metadata: JsonObject | None


def spool_inline(value: Json, kind: str, path: Path) -> int:
    """Write inline requests as lines; return how many.

    Source: public reports about the live service. It refuses wrong input with one violation for each field, and creates
    nothing.

    Args:
        value: ``inputConfig.requests``, which contains ``requests`` again.
        kind: ``generate`` or ``embed``.
        path: The file for the lines.

    Raises:
        ApiError: 400 for unknown fields and values of another type.
    """
    message = "InlinedEmbedContentRequests" if kind == "embed" else "InlinedRequests"
    found = violations(check("gemini", message, value), _INLINE, _PACKAGE)
    if found:
        detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": found}
        raise ApiError(400, text(found), details=[detail])
    requests = value.get("requests") or []
    if not requests:
        message = f"* CreateBatchRequest.{_INLINE}: at least one request is required."
        raise ApiError(400, message)
    requests = requests if isinstance(requests, list) else [requests]
    for index, one in enumerate(requests):
        if one.get("request") is None:
            message = f"* CreateBatchRequest.{_INLINE}.requests[{index}].request: request is required."
            raise ApiError(400, message)
    return write_lines(path, map(_spooled, requests))


def _spooled(request: JsonObject) -> bytes:
    try:
        line = dumps(request)
    except (ValueError, RecursionError) as problem:
        message = f"Invalid JSON payload received. {problem}"
        raise ApiError(400, message) from problem
    if _too_deep(line, request):
        raise ApiError(400, "Invalid JSON payload received. Message too deep.")
    return line


def _too_deep(line: bytes, value: Json) -> bool:
    """Return whether a value is nested deeper than proto3's parsers allow."""
    if line.count(b"{") + line.count(b"[") <= _DEEPEST:
        return False
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


def check_file(path: Path, kind: str) -> int:
    """Parse an input file; return how many rows it has.

    Source: public reports about the live service. It parses the file during create, refuses the call if a line is bad,
    and names every bad line.

    Args:
        path: The file.
        kind: ``generate`` or ``embed``.

    Raises:
        ApiError: 400, which names the bad lines.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise ApiError(400, "The input file exceeds the limit of 2 GB.")
    message = "EmbedLine" if kind == "embed" else "Line"
    count = 0
    errors: list[str] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            count += 1
            wrong = _wrong_with(line, message)
            if wrong:
                errors.append(f"Error on line {number}: {wrong}")
                if len(errors) == MOST:
                    break
    if errors:
        raise ApiError(400, "\n".join(errors))
    if not count:
        raise ApiError(400, "The input file contains no requests.")
    return count


def _wrong_with(line: bytes, message: str) -> str:
    try:
        whole = line.decode()
        row = loads(whole)
    except json.JSONDecodeError as problem:
        return f"invalid JSON, near column {problem.colno}: {problem.msg}"
    except (ValueError, RecursionError) as problem:
        return f"invalid JSON, near column 1: {problem}"
    if _too_deep(line, row):
        return "invalid JSON, near column 1: message too deep"
    problems = check("gemini", message, row)
    if problems:
        first = problems[0]
        named = first.what in {UNKNOWN, TWICE}
        return f"invalid JSON, near column {column(whole, first.steps, of_name=named)}: {_said_of(first)}"
    return "no request" if row.get("request") is None else ""


def _said_of(problem: Problem) -> str:
    """Return the message of the service's parser of files, which differs from the front end's parser."""
    if problem.what == UNKNOWN:
        return f"no such field: '{problem.name}'"
    if problem.what == TWICE:
        return f"field '{problem.name}' is already set"
    if problem.what == DEEP:
        return "message too deep"
    there = shown(problem.value)
    opening = _OPENINGS.get(problem.kind, "{" if not problem.kind.startswith("TYPE_") else "")
    if opening and there[0] != opening:
        return f"unexpected character: '{there[0]}'; expected '{opening}'"
    return f"invalid value: {there}"


def read_rows(path: Path) -> Iterator[InputRow]:
    """Yield the rows of a spooled input."""
    for index, line in enumerate(read_lines(path)):
        row: dict[str, Any] = json.loads(line)
        metadata = row.get("metadata")
        key = row.get("key", (metadata or {}).get("key"))
        yield InputRow(index, None if key is None else str(key), row["request"], metadata)
