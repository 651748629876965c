"""SQL that judges values of typed columns by a type table: those that were read from answers of an earlier run.

What the service knows of the type is part of what is asked, so it is the same. Judged is what it does not know, and
what columns of one type leave open.
"""

# ruff: noqa: S608 - names are checked where they are read, and texts are literals

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.wire.tables.sql import literal, name
from airflow_provider_genai_batch.wire.tables.types import Column

_ALIASES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}


def type_of(field: Mapping[str, Any]) -> str:
    """Return the type of a column as one word, however wide its numbers are.

    Args:
        field: as the service has it, ``TableFieldSchema``.
    """
    kind = _ALIASES.get(str(field["type"]), str(field["type"]))
    if inner := field.get("fields"):
        members = ", ".join(f"{one['name'].lower()} {type_of(one)}" for one in inner)
        kind = f"{kind}<{members}>"
    return f"ARRAY<{kind}>" if field.get("mode") == "REPEATED" else kind


def fits_still(column: Column, value: str, depth: int = 0) -> str:
    """Spell whether a value is what a column takes; never NULL.

    Args:
        column: of the type table.
        value: SQL of a value that has the column's type.
        depth: of the arrays around it.
    """
    if column.repeated:
        item = f"e{depth}"
        bad = f"NOT {_fits_one(column, item, depth + 1)}"
        good = f"NOT EXISTS (SELECT 1 FROM UNNEST({value}) AS {item} WHERE {bad})"
        return "TRUE" if bad == "NOT TRUE" else good
    good = _fits_one(column, value, depth)
    if column.nullable or not column.required:
        return good if good == "TRUE" else f"({value} IS NULL OR {good})"
    return f"{value} IS NOT NULL" if good == "TRUE" else f"({value} IS NOT NULL AND {good})"


def _fits_one(column: Column, value: str, depth: int) -> str:
    """Spell whether a value that is there fits; never NULL where it is."""
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
