"""Finds values that Vertex AI's importer cannot load, before it does.

The importer loads lines as BigQuery loads JSON: one line that does not fit fails the whole job after it was created.
Source: captures of the live service and reports of its users; BigQuery's rules for nested data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.lines.beside import OUTPUT, is_output
from airflow_provider_genai_batch.wire.spelling import camel

MAX_NESTING = 15
_MAX_NODES = 20_000
"""Limit of the tree of key paths. Beyond it, new paths are checked but not remembered, so memory stays small."""
_FROM_A_TABLE = "or read the requests from a BigQuery table (bq://…) whose column request is a STRING"
_EMPTY = {
    "googleSearch": 'Give it a field that changes nothing, such as {"excludeDomains": ["example.invalid"]}',
    "properties": "Leave properties out",
    "args": "Leave args out",
}
_KINDS = {dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "boolean"}


def importable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a row that the importer checks; it accepts what it wrote itself."""
    if not is_output(row):
        return dict(row)
    return {name: value for name, value in row.items() if camel(name) not in OUTPUT}


class _Node:
    """One key path: its kind of value, the line where it occurred first, and the names below it."""

    __slots__ = ("below", "kind", "line")

    def __init__(self, kind: str, line: int) -> None:
        self.kind, self.line = kind, line
        self.below: dict[str, _Node] = {}


class Importer:
    """Checks rows one after the other, as the importer will.

    Args:
        place: names a row by its number, for messages.
    """

    def __init__(self, place: Callable[[int], str] = "line {}".format) -> None:
        self._place = place
        self._root = _Node("object", 0)
        self._nodes = 0
        self._line = 0

    def check(self, row: dict[str, Any], line: int) -> None:
        """Refuse a row that would fail the import.

        Raises:
            RequestError: it names the key path.
        """
        self._line = line
        self._object(row, self._root, "", 0)

    def _object(self, fields: dict[str, Any], node: _Node, path: str, depth: int) -> None:
        if depth > MAX_NESTING:
            msg = f"{path} is nested deeper than {MAX_NESTING}, which Vertex AI cannot import"
            raise RequestError(msg, f"Make it flatter, {_FROM_A_TABLE}.")
        if not fields:
            name = path.rpartition(".")[2]
            msg = f"{path} is an empty object, which Vertex AI cannot import"
            raise RequestError(msg, f"{_EMPTY.get(name, 'Leave it out')}, {_FROM_A_TABLE}.")
        below = node.below
        for name, value in fields.items():
            if value is None:
                continue
            kind = _KINDS[type(value)]
            known = below.get(name)
            if known is None or known.kind != kind:
                known = self._meet(name, kind, below, path)
            if kind == "object":
                self._object(value, known, f"{path}.{name}" if path else name, depth + 1)
            elif kind == "array":
                self._array(value, known, f"{path}.{name}" if path else name, depth)

    def _array(self, items: list[Any], node: _Node, path: str, depth: int) -> None:
        for item in items:
            if item is None:
                msg = f"{path} holds null, which Vertex AI cannot import into a list"
                raise RequestError(msg, f"Leave it out, {_FROM_A_TABLE}.")
            kind = _KINDS[type(item)]
            known = node.below.get("[]")
            if known is None or known.kind != kind:
                known = self._meet("[]", kind, node.below, path)
            if kind == "object":
                self._object(item, known, f"{path}[]", depth + 1)
            elif kind == "array":
                self._array(item, known, f"{path}[]", depth)

    def _meet(self, name: str, kind: str, below: dict[str, _Node], path: str) -> _Node:
        """Remember a new name; refuse an invalid name, or a known name with another kind of value."""
        shown = f"{path}{name}" if name == "[]" else f"{path}.{name}" if path else name
        if known := below.get(name):
            msg = (
                f"{shown} is {_a(kind)} here and {_a(known.kind)} in {self._place(known.line)}, "
                "which Vertex AI cannot import into one job"
            )
            raise RequestError(msg, f"Use one type everywhere, {_FROM_A_TABLE}.")
        if not name or "$" in name or " " in name:
            wrong = "has a character" if name else "is one"
            msg = f"the name {name!r} in {path or 'the row'} {wrong} that Vertex AI cannot import"
            remedy = "Write the schema without references (response_schema)" if "$" in name else "Rename it"
            raise RequestError(msg, f"{remedy}, {_FROM_A_TABLE}.")
        node = _Node(kind, self._line)
        if self._nodes < _MAX_NODES:
            self._nodes += 1
            below[name] = node
        return node


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "ao" else f"a {kind}"
