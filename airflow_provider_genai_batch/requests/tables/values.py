"""Column values as JSON and as text in a prompt."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from typing import Any
from uuid import UUID

from pydantic_core import to_json

Row = Mapping[str, Any]
"""A row's values by column."""


def json_value(value: Any) -> Any:
    """Return a value in its JSON form.

    Dates and times are written as ISO 8601, decimals and UUIDs as strings, durations as seconds, bytes as base64;
    NaN and infinity become null.

    Raises:
        TypeError: JSON cannot represent it.
    """
    return value if type(value) in (str, int, bool, type(None)) else _spelled(value)


def prompt_text(value: Any) -> str | None:
    """Return a value as it appears in a prompt: text as it is, anything else as JSON; None for null.

    Raises:
        TypeError: JSON cannot represent it.
    """
    plain = json_value(value)
    return plain if plain is None or isinstance(plain, str) else to_json(plain).decode()


@singledispatch
def _spelled(value: Any) -> Any:
    if callable(scalar := getattr(value, "item", None)):  # a NumPy scalar
        return json_value(scalar())
    msg = f"a value of type {type(value).__name__}, which JSON cannot represent"
    raise TypeError(msg)


_spelled.register(str, str)
_spelled.register(int, int)
_spelled.register(Decimal, str)
_spelled.register(UUID, str)
_spelled.register(Enum, lambda value: json_value(value.value))
_spelled.register(float, lambda value: float(value) if math.isfinite(value) else None)
_spelled.register(time, lambda value: value.isoformat())
_spelled.register(timedelta, lambda value: value.total_seconds())


@_spelled.register(bytes)
@_spelled.register(bytearray)
@_spelled.register(memoryview)
def _(value: bytes) -> str:
    return base64.b64encode(value).decode()


@_spelled.register(date)
def _(value: date) -> str | None:
    return value.isoformat() if value == value else None  # noqa: PLR0124 - pandas' NaT does not equal itself


@_spelled.register(Mapping)
def _(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): json_value(inner) for name, inner in value.items()}


@_spelled.register(list)
@_spelled.register(tuple)
def _(value: list[Any]) -> list[Any]:
    return [json_value(inner) for inner in value]
