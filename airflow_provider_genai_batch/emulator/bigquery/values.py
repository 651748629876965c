"""Values in BigQuery's REST replies and requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_READERS: Mapping[str, Any] = {
    "INTEGER": int,
    "INT64": int,
    "FLOAT": float,
    "FLOAT64": float,
    "BOOLEAN": lambda text: text in {True, "true"},
    "BOOL": lambda text: text in {True, "true"},
    "JSON": json.loads,
}


def row_as_dict(fields: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> dict[str, Any]:
    """Read one row, which the service sends as ``{"f": [{"v": ...}]}``.

    Args:
        fields: The schema of the table or the record.
        row: The row as received.
    """
    return {field["name"]: _value(field, cell["v"]) for field, cell in zip(fields, row["f"], strict=True)}


def encode(types: Mapping[str, str], row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert one row for ``insertAll``, in which the value of a JSON column is text.

    Args:
        types: The type of each column.
        row: Python values.
    """
    return {
        name: json.dumps(value, ensure_ascii=False)
        if types.get(name) == "JSON" and value is not None
        else value
        for name, value in row.items()
    }


def _value(field: Mapping[str, Any], value: Any) -> Any:
    if value is None:
        return None
    if field.get("mode") == "REPEATED":
        return [_single(field, element["v"]) for element in value]
    return _single(field, value)


def _single(field: Mapping[str, Any], value: Any) -> Any:
    if value is None:
        return None
    if field["type"] in {"RECORD", "STRUCT"}:
        return row_as_dict(field["fields"], value)
    reader = _READERS.get(field["type"])
    return value if reader is None else reader(value)
