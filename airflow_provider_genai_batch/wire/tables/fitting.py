"""SQL that checks the values in typed columns of an earlier result against the output type.

The type as the service knows it is part of the request, so it is the same in both runs. This SQL checks the parts that
the service does not know, and what a column's type leaves open.
"""

# ruff: noqa: S608 - names are checked where they are read, and texts are literals

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.wire.tables.sql import literal, name
from airflow_provider_genai_batch.wire.tables.types import Column

_ALIASES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}


def type_of(field: Mapping[str, Any]) -> str:
    """Return the type of a column as one word, regardless of the width of its numbers.

    Args:
        field: in the service's form, ``TableFieldSchema``.
    """
    kind = _ALIASES.get(str(field["type"]), str(field["type"]))
    if inner := field.get("fields"):
        members = ", ".join(f"{one['name'].lower()} {type_of(one)}" for one in inner)
        kind = f"{kind}<{members}>"
    return f"ARRAY<{kind}>" if field.get("mode") == "REPEATED" else kind


def fits_still(column: Column, value: str, depth: int = 0) -> str:
    """Return the condition that a value is valid for a column; never NULL.

    Args:
        column: from the output type.
        value: SQL of a value that has the column's type.
        depth: the number of arrays around it.
    """
    if column.repeated:
        item = f"e{depth}"
        good = _fits_one(column, item, depth + 1)
        return (
            good
            if good == "TRUE"
            else f"NOT EXISTS (SELECT 1 FROM UNNEST({value}) AS {item} WHERE NOT ({good}))"
        )
    good = _fits_one(column, value, depth)
    if column.nullable or not column.required:
        return good if good == "TRUE" else f"({value} IS NULL OR {good})"
    return f"{value} IS NOT NULL" if good == "TRUE" else f"({value} IS NOT NULL AND {good})"


def _fits_one(column: Column, value: str, depth: int) -> str:
    """Return the condition that a present value is valid; never NULL for a present value."""
    if column.choices:
        among = ", ".join(
            literal(choice) if isinstance(choice, str) else str(choice).upper() for choice in column.choices
        )
        return f"IFNULL({value} IN ({among}), FALSE)"
    if column.kind == "STRUCT":
        inner = [fits_still(one, f"{value}.{name(one.name)}", depth) for one in column.fields]
        return " AND ".join(one for one in inner if one != "TRUE") or "TRUE"
    if column.kind == "JSON" and column.shape:
        return f"IFNULL(JSON_TYPE({value}) = '{column.shape}', FALSE)"
    return "TRUE"
