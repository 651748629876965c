"""Scalars as proto3 JSON writes them, read leniently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|z|[+-]\d\d:?\d\d)?")
_OTHER_ALPHABET = str.maketrans("-_", "+/")
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def get(mapping: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """Read a field by its lowerCamel name or its snake_case twin; null counts as absent."""
    value = mapping.get(name)
    if value is None:
        value = mapping.get(snake(name))
    return default if value is None else value


@lru_cache(maxsize=256)
def snake(name: str) -> str:
    """Spell a field in snake_case: ``topP`` as ``top_p``; ``top_p`` stays."""
    return _HUMP.sub(lambda m: "_" + m[1].lower(), name)


def standard_base64(text: str) -> str:
    """Return base64 of the alphabet for URLs in the standard one: models of other companies read no other."""
    if "-" not in text and "_" not in text:
        return text
    text = text.translate(_OTHER_ALPHABET).rstrip("=")
    return text + "=" * (-len(text) % 4)


def mapping(value: Any) -> dict[str, Any]:
    """Return an object, or an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """Return an array, or an empty one for any other value."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    """Return an array of objects.

    Raises:
        ValueError: it is something else, and the value that is looked for might have been in it.
    """
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, dict) for item in value):
        msg = "an array of something other than objects"
        raise ValueError(msg)
    return list(value)


def text(value: Any) -> str | None:
    """Return a string, or None for any other value."""
    return value if isinstance(value, str) else None


def integer(value: Any) -> int | None:
    """Read an int64, which JSON carries as a string; None if it is absent or not a number."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):  # the last: JSON readers turn 1e999 into infinity
        return None


def timestamp(value: Any) -> datetime | None:
    """Read RFC 3339 with up to nine fraction digits, of which Python keeps six; the result is in UTC."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return None
    date, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    if ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    spelled = f"{date}T{clock}.{(fraction or '0')[:6]:0<6}{zone}"
    try:
        return datetime.fromisoformat(spelled).astimezone(timezone.utc)
    except (ValueError, OverflowError):  # the last: year 1 east of Greenwich
        return None
