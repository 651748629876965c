"""The importer of JSONL input, which behaves like a BigQuery JSON load: one bad row fails the whole job."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, loads

_DEEPEST = 15
_NESTED = (dict, list)
_WHOLE = re.compile(r"-?\d{1,18}")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_RESULT = frozenset({"status", "response", "processed_time"})


FAILED = "Failed to import data. Please check 'Prepare input' section of the documentation."
"""The beginning of the error message of a job whose input was refused."""


class ImportFailed(Exception):
    """The input cannot be imported; the job ends FAILED."""

    def __init__(self, why: str, row: int) -> None:
        """Name the row and the reason."""
        super().__init__(f"{FAILED} Row {row}: {why}")
        self.code = 3


class ImporterBroke(ImportFailed):
    """A user reported that text instead of a list of parts ends a job with no other message than INTERNAL."""

    def __init__(self, row: int) -> None:
        """Set the message INTERNAL, without row and reason."""
        super().__init__("", row)
        self.args = ("INTERNAL",)
        self.code = 13


class Importer:
    """Checks rows one after another and remembers the type of every field."""

    def __init__(self, needed: Sequence[str] = ()) -> None:
        """Begin without known fields.

        Args:
            needed: Fields that every line must have; empty: a row without them fails later, by itself.
        """
        self._needed = needed
        self._types: dict[str, str] = {}
        self._members: dict[str, dict[str, None]] = {}
        self._row = 0

    def row(self, line: bytes) -> JsonObject:
        """Read one line.

        Raises:
            ImportFailed: The importer cannot read it.
        """
        self._row += 1
        try:
            row = loads(line)
        except (ValueError, RecursionError) as problem:
            raise ImportFailed(
                f"Error while reading data, error message: JSON parsing error: {problem}", self._row
            ) from problem
        if not isinstance(row, dict):
            raise ImportFailed(
                "Error while reading data, error message: JSON table encountered a non-object row", self._row
            )
        resumes = "processed_time" in row and "status" in row
        try:
            for name, value in row.items():
                if not (resumes and name in _RESULT):
                    self._field(name, value, name, 1)
        except RecursionError as problem:
            raise ImportFailed("Lists are nested too deeply", self._row) from problem
        for name in self._needed:
            check_own(row, name, self._row)
        if self._types.get("request.contents[].parts") == "STRING":
            raise ImporterBroke(self._row)
        return row

    def echoed(self, request: Any) -> Any:
        """Return a request in the form in which the output repeats it, once every row was read.

        The importer has one type for every position, so members that only other rows or parts have are null here.
        """
        return self._filled(request, "request")

    def _filled(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            filled = {
                name: self._filled(inner, f"{path}.{name}") if type(inner) in _NESTED else inner
                for name, inner in value.items()
            }
            members = self._members.get(path, {})
            if len(members) > len(filled):
                filled |= dict.fromkeys(name for name in members if name not in filled)
            return filled
        if isinstance(value, list):
            below = f"{path}[]"
            return [self._filled(inner, below) for inner in value]
        return value

    def _field(self, name: str, value: Any, path: str, depth: int) -> None:
        if "$" in name or " " in name:
            raise ImportFailed(
                f'Invalid field name "{name}". Fields must contain only letters, numbers, and underscores.',
                self._row,
            )
        if name == "required" and isinstance(value, list) and None in value:
            raise ImportFailed(
                f"Only optional fields can be set to NULL. Field: {path}; Value: NULL", self._row
            )
        self._value(value, path, depth)

    def _value(self, value: Any, path: str, depth: int) -> None:
        kind = _kind(value)
        if kind == "null":
            return
        known = self._types.setdefault(path, kind)
        if known != kind:
            raise ImportFailed(f"Field {path} has changed type from {known} to {kind}", self._row)
        if isinstance(value, dict):
            if not value:
                raise ImportFailed(f"Unsupported empty struct type for field '{path}'", self._row)
            if depth > _DEEPEST:
                raise ImportFailed(
                    f"Field {path} is nested too deeply; the limit is {_DEEPEST} levels", self._row
                )
            members = self._members.setdefault(path, {})
            for name, inner in value.items():
                members[name] = None
                self._field(name, inner, f"{path}.{name}", depth + 1)
        elif isinstance(value, list):
            for inner in value:
                self._value(inner, f"{path}[]", depth)


def check_own(row: JsonObject, needed: str, number: int) -> None:
    """Refuse a row that is not one of a Google model's.

    Args:
        row: The row.
        needed: ``content`` (a text) or ``request`` (an object of Gemini's, which has no ``messages``).
        number: The number of the row.

    Raises:
        ImportFailed: The row is of another family, or of none.
    """
    value = row.get(needed)
    kind = str if needed == "content" else dict
    if not isinstance(value, kind) or (needed == "request" and "messages" in value):
        raise ImportFailed(f"Missing or foreign {needed}", number)


def coerced(value: Any) -> Any:
    """Return the value of a sibling key in the form in which the output has it.

    In captures, text that looks like a number becomes a number. A user reported that a list comes back empty.
    """
    if isinstance(value, list):
        return []
    if isinstance(value, str):
        if _WHOLE.fullmatch(value):
            return int(value)
        if _DECIMAL.fullmatch(value):
            return float(value)
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "BOOL"
    for types, kind in (((int, float), "NUMBER"), (str, "STRING"), (list, "ARRAY")):
        if isinstance(value, types):
            return kind
    return "STRUCT"
