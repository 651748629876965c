"""Values that one version of this package stores as JSON and another version, older or newer, reads."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")


def read_stored(kind: type[Kind], stored: Any, *, whole: bool = False) -> Kind:
    """Read a dataclass whose every field has a default; its fields may be such dataclasses in turn.

    Fields that it does not have are ignored: a newer version wrote them. Missing ones, which an older version did not
    write, take their defaults, and so do those whose value is not of their type.

    Args:
        kind: the dataclass.
        stored: what was kept; what is no JSON object says nothing.
        whole: one value that is not of its type makes all of them defaults.
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
    """Return a value as its type; raise ValueError where it is another's."""
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
    """Return what holds no other values; JSON's whole numbers may stand for others, and truth is no number."""
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
