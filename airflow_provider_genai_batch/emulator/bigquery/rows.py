"""Checks rows of ``insertAll`` as the real service does; bqemulator accepts nearly anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_INTEGER = re.compile(r"^-?\d+$")


def row_errors(fields: Any, row: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the errors of a row.

    Args:
        fields: bqemulator's description of the table's columns.
        row: The row to insert.

    Returns:
        BigQuery's error protos; empty if the row fits.
    """
    given = {name.lower(): value for name, value in row.items()}
    known = {field.name.lower() for field in fields}
    errors = [error("invalid", f"no such field: {name}.", name) for name in row if name.lower() not in known]
    for field in fields:
        value = given.get(field.name.lower())
        if value is None:
            if field.mode == "REQUIRED":
                errors.append(error("invalid", f"Missing required field: {field.name}.", field.name))
        elif field.mode != "REPEATED" and not _FITS.get(field.type.upper(), _anything)(value):
            message = f"Cannot convert value to {field.type.lower()} (bad value): {value!r:.60}"
            errors.append(error("invalid", message, field.name))
    return errors


def error(reason: str, message: str, location: str = "") -> dict[str, str]:
    """Build one of BigQuery's error protos.

    Args:
        reason: BigQuery's reason code.
        message: Text for people.
        location: For example the column.
    """
    return {"reason": reason, "message": message, "domain": "global", "location": location}


def _is_integer(value: Any) -> bool:
    if isinstance(value, str):
        return _INTEGER.match(value) is not None
    return isinstance(value, int) and not isinstance(value, bool)


def _is_float(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def _is_json_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _anything(_value: Any) -> bool:
    return True


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "INTEGER": _is_integer,
    "INT64": _is_integer,
    "FLOAT": _is_float,
    "FLOAT64": _is_float,
    "BOOLEAN": lambda value: isinstance(value, bool) or value in {"true", "false"},
    "BOOL": lambda value: isinstance(value, bool) or value in {"true", "false"},
    "STRING": lambda value: not isinstance(value, dict | list),
    "JSON": _is_json_text,
}
