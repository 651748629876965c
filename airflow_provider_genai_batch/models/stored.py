"""Reads values that another version of this package, older or newer, has stored as JSON."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")


def read_stored(kind: type[Kind], stored: Any, *, whole: bool = False) -> Kind:
    """Read a dataclass in which every field has a default. Its fields may be such dataclasses, too.

    Unknown fields are ignored, because a newer version wrote them. Fields that an older version did not write get their
    defaults, and so do fields whose value has the wrong type.

    Args:
        kind: the dataclass.
        stored: the stored value. If it is not a JSON object, all fields get their defaults.
        whole: if True, one value of a wrong type makes all fields get their defaults.
    """
    values: dict[str, Any] = {}
    if not isinstance(stored, Mapping):
        return kind()
    for name, hint in _fields(kind).items():  # type: ignore[arg-type]  # classes can be hashed
        if name not in stored:
            continue
        try:
            values[name] = _value(hint, stored[name])
        except ValueError:
            if whole:
                return kind()
    return kind(**values)


@cache
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    """Return a value as its type; raise ValueError if it has another type."""
    origin, of = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(of, value)
    if origin in (list, tuple) and isinstance(value, (list, tuple)):
        return origin(_value(of[0], item) for item in value)
    if origin is dict and isinstance(value, Mapping):
        return {str(name): _value(of[1], item) for name, item in value.items()}
    if is_dataclass(origin) and isinstance(value, Mapping):
        return read_stored(origin, value)  # type: ignore[arg-type]  # a class, by how hints are written
    return _plain(origin, value)


def _plain(kind: Any, value: Any) -> Any:
    """Return a simple value. A whole number may stand for a float, but a boolean does not count as a number."""
    if kind is Any:
        return value
    if issubclass(kind, Enum):
        return kind(value)
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        msg = f"{value!r} is no {kind.__name__}"
        raise ValueError(msg)
    return value


def _one_of(hints: tuple[Any, ...], value: Any) -> Any:
    for hint in hints:
        try:
            return _value(hint, value)
        except ValueError:
            continue
    msg = f"{value!r} is none of {hints}"
    raise ValueError(msg)
