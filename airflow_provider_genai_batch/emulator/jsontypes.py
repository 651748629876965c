"""Names for JSON values and tolerant reading of both spellings of a field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeAlias

from airflow_provider_genai_batch.emulator.errors import ApiError

Json: TypeAlias = Any
"""Any JSON value."""
JsonObject: TypeAlias = dict[str, Any]
"""A JSON object."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
"""Created once, because creating one costs more than a small answer. Table cells such as dates become text."""

_CAPITAL = re.compile(r"[A-Z]")
_UNDERSCORED = re.compile(r"_([a-z0-9])")


@lru_cache(maxsize=1024)
def camel(name: str) -> str:
    """Return the name of a field as in Google's replies (``fileName``)."""
    return _UNDERSCORED.sub(lambda found: found.group(1).upper(), name)


@lru_cache(maxsize=1024)
def snake(name: str) -> str:
    """Return the name of a field as in the protos (``file_name``)."""
    return _CAPITAL.sub(lambda found: "_" + found.group(0).lower(), name)


def field(obj: JsonObject, name: str) -> Json:
    """Read a field in either spelling, as proto3's JSON form allows; null means absent.

    Args:
        obj: The object as received.
        name: The lowerCamel spelling.
    """
    value = obj.get(name)
    return obj.get(snake(name)) if value is None else value


def known_only(obj: Json, allowed: Iterable[str], where: str) -> JsonObject:
    """Return the object with lowerCamel names, or refuse it as Google's JSON parser does.

    Raises:
        ApiError: The value is not an object, has an unknown name, or has one field in both spellings.
    """
    if not isinstance(obj, dict):
        message = f"Invalid value at '{where}': expected an object."
        raise ApiError(400, message)
    names = set(allowed)
    result: JsonObject = {}
    for raw, value in obj.items():
        name = camel(raw)
        if name not in names:
            message = (
                f"Invalid JSON payload received. Unknown name \"{raw}\" at '{where}': Cannot find field."
            )
            raise ApiError(400, message, details=[violation(where, message)])
        if name in result:
            message = f"Invalid JSON payload received. Field '{name}' at '{where}' is given twice."
            raise ApiError(400, message)
        if value is not None:
            result[name] = value
    return result


def violation(where: str, text: str) -> JsonObject:
    """Build a google.rpc.BadRequest detail."""
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": where, "description": text}],
    }


def words(text: str) -> frozenset[str]:
    """Return the words of a text, so that lists of field names can be written as text."""
    return frozenset(text.split())


def loads(text: str | bytes) -> Any:
    """Read JSON. Python's own reader also accepts NaN and infinities, which could not be written again.

    Raises:
        ValueError: It is not JSON, or has a number that is too large.
    """
    return json.loads(text, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        message = f"{text} is no number of JSON"
        raise ValueError(message)
    return number


def dumps(value: Json) -> bytes:
    """Write compact UTF-8 JSON. Half of a surrogate pair is written as an escape, as it was received."""
    return _ENCODER.encode(value).encode(errors="backslashreplace")
