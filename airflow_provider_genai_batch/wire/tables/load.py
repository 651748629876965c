"""Rows as lines for a BigQuery load job, with the same columns that SQL would make of the answers.

Sources: BigQuery's "Loading JSON data": columns of type JSON take values as they are, integers beyond 53 bits are
written as strings, dates with dashes; ``TableFieldSchema`` of its REST reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from math import isfinite
from typing import Any

from airflow_provider_genai_batch.wire.tables.answers import KEY, MISFIT, TOKENS
from airflow_provider_genai_batch.wire.tables.types import NUMERIC, Column

_LONG, _SAFE = 1 << 63, 1 << 53
_FRACTION, _WHOLE = Decimal("1e-9"), Decimal("1e29")
_DATE, _TIME = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
_FORMS = {
    "DATE": re.compile(_DATE),
    "TIME": re.compile(_TIME),
    "TIMESTAMP": re.compile(rf"{_DATE}T{_TIME}(?:Z|[+-]\d\d:\d\d)?"),
}
"""The texts that columns take: Pydantic writes such ones, but the serializers of a model may write others."""
_KINDS = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}

OWN: tuple[Column, ...] = (
    Column("row_status", "STRING"),
    Column("row_error", "STRING"),
    Column("tokens", "STRUCT", fields=tuple(Column(one, "INT64") for one in TOKENS)),
    Column(KEY, "STRING"),
)
"""The columns of a table beside those of the input and of the answers."""


def schema(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return columns in the form of a load job."""
    return [_field(one) for one in columns]


def _field(column: Column) -> dict[str, Any]:
    kind, _, width = column.kind.partition("(")
    said: dict[str, Any] = {"name": column.name, "type": _KINDS.get(kind, kind)}
    said["mode"] = "REPEATED" if column.repeated else "NULLABLE"
    if width:
        said["precision"], said["scale"] = width.rstrip(")").split(", ")
    if column.fields:
        said["fields"] = schema(column.fields)
    return said


def conform(columns: Sequence[Column], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked answer in the form of a load job.

    A single value that it does not take would fail the job with all other rows, and SQL would not take it either.

    Args:
        columns: the answers' columns.
        answer: JSON values by field.

    Raises:
        ValueError: a column does not take its value; the message names the columns.
    """
    found, bad = {}, []
    for one in columns:
        try:
            found[one.name] = _value(one, answer.get(one.written or one.name))
        except (TypeError, ValueError, InvalidOperation):
            bad.append(one.name)
    if bad:
        msg = f"{MISFIT} {' '.join(bad)}"
        raise ValueError(msg)
    return found


def _value(column: Column, value: Any) -> Any:
    if value is None:
        if column.nullable or not column.required:
            return [] if column.repeated else None
        raise TypeError
    if not column.repeated:
        return _one(column, value)
    if not isinstance(value, list):
        raise TypeError
    return [_one(column, one) for one in value]


def _one(column: Column, value: Any) -> Any:
    kind = column.kind
    if kind == "STRUCT" and isinstance(value, Mapping):
        return {one.name: _value(one, value.get(one.written or one.name)) for one in column.fields}
    if kind == NUMERIC and not isinstance(value, bool):
        return _numeric(value)
    if not _takes(kind, value):
        raise TypeError
    return str(value) if kind == "INT64" and abs(value) >= _SAFE else value


def _takes(kind: str, value: Any) -> bool:
    if kind == "STRING":
        return isinstance(value, str)
    if kind in _FORMS:
        return isinstance(value, str) and _FORMS[kind].fullmatch(value) is not None
    if kind == "INT64":
        return type(value) is int and -_LONG <= value < _LONG
    if kind == "FLOAT64":
        return type(value) in (int, float) and isfinite(value)
    return kind == "JSON" or (kind == "BOOL" and isinstance(value, bool))


def _numeric(value: Any) -> str:
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= _WHOLE:
        raise ValueError
    with localcontext() as context:
        context.prec = 60
        return format(number.quantize(_FRACTION, ROUND_HALF_UP).normalize(), "f")
