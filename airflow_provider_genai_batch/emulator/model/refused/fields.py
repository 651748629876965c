"""Checks a value against a message in proto3's JSON form: every name must be known, every value of the right type.

Both spellings of a name are accepted, null means absent, and numbers may be written as text. Problems are returned as
`Problem` values; the messages of the services are made elsewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

from airflow_provider_genai_batch.emulator.jsontypes import Json, snake
from airflow_provider_genai_batch.emulator.model.refused.messages import fields_of

UNKNOWN = "unknown"
TWICE = "twice"
WRONG = "wrong"
SINGLE = "single"
DEEP = "deep"


@dataclass
class Problem:
    """One problem.

    Attributes:
        what: ``unknown`` (no such field), ``twice`` (one field in both spellings), ``wrong`` (a value of another
            type), ``single`` (a valid value instead of a list of such values) or ``deep`` (nested too deep).
        kind: The expected type, such as ``TYPE_STRING``, the name of a message, ``[`` or ``{``; empty for a name.
        value: The actual value; for a name, the name.
        steps: Names and indexes as received, from the top to the value.
        path: The same path with the names of the protos.
    """

    what: str
    kind: str
    value: Json
    steps: list[str | int] = field(default_factory=list)
    path: list[str] = field(default_factory=list)

    def below(self, step: str | int, name: str) -> Problem:
        """Put a member or an element in front of the path."""
        self.steps.insert(0, step)
        self.path.insert(0, name)
        return self

    @property
    def name(self) -> str:
        """The last name in the path, as received."""
        return next((step for step in reversed(self.steps) if isinstance(step, str)), "")

    def where(self, *, parent: bool = False) -> str:
        """Return the path as text, such as ``contents[0].parts``, or that of the surrounding message."""
        path = self.path[:-1] if parent else self.path
        return "".join(one if one.startswith("[") else f".{one}" for one in path).lstrip(".")


Check: TypeAlias = Callable[[Json], "list[Problem]"]

_NOTHING: list[Problem] = []
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_DURATION = re.compile(r"-?\d+(?:\.\d{1,9})?s")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|Infinity)|NaN")
_TYPES = frozenset({"TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
_RANGES = {"int32": 2**31, "int64": 2**63}


def check(backend: str, message: str, value: Json) -> list[Problem]:
    """Return the problems of a value; empty for a valid one.

    Args:
        backend: ``gemini`` or ``vertex``: each has fields of its own.
        message: The name of the message that the value should be.
        value: The value.
    """
    try:
        return _messages(backend)[message](value)
    except RecursionError:
        return [Problem(DEEP, "", None)]


@cache
def _messages(backend: str) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for name, fields in fields_of(backend).items():
        found[name] = _Message(name, fields, found)
    return found


class _Message:
    """Checks one message. The checks of its fields are made on first use, because messages may contain themselves."""

    def __init__(self, name: str, fields: dict[str, str], others: dict[str, Check]) -> None:
        self._name = name
        self._kinds = fields
        self._others = others
        self._known: dict[str, tuple[str, Check]] = {}

    def __call__(self, value: Json) -> list[Problem]:
        if type(value) is not dict:
            return [Problem(WRONG, self._name, value)]
        known = self._known or self._compiled()
        problems: list[Problem] = []
        seen: set[str] = set()
        for name, inner in value.items():
            found = known.get(name)
            if found is None:
                problems.append(Problem(UNKNOWN, "", name, [name]))
                continue
            proto, test = found
            if proto in seen:
                problems.append(Problem(TWICE, "", name, [name]))
            seen.add(proto)
            if inner is not None and (wrong := test(inner)):
                problems += [one.below(name, proto) for one in wrong]
        return problems

    def _compiled(self) -> dict[str, tuple[str, Check]]:
        known: dict[str, tuple[str, Check]] = {}
        for name, kind in self._kinds.items():
            proto = snake(name)
            known[name] = known[proto] = (proto, _check_of(kind, self._others))
        self._known = known
        return known


def _check_of(kind: str, messages: dict[str, Check]) -> Check:
    if kind.startswith("["):
        return _list_of(_check_of(kind[1:-1], messages))
    if kind.startswith("{"):
        return _free_names(_check_of(kind[1:-1], messages))
    return messages.get(kind) or _SCALARS[kind]


def _list_of(element: Check) -> Check:
    def test(value: Json) -> list[Problem]:
        if type(value) is not list:
            return element(value) or [Problem(SINGLE, "[", value)]
        problems: list[Problem] = []
        for place, one in enumerate(value):
            if wrong := element(one):
                problems += [problem.below(place, f"[{place}]") for problem in wrong]
        return problems

    return test


def _free_names(element: Check) -> Check:
    def test(value: Json) -> list[Problem]:
        if type(value) is not dict:
            return [Problem(WRONG, "{", value)]
        problems: list[Problem] = []
        for place, (name, one) in enumerate(value.items()):
            # The front end numbers the entries of a map, and calls the content of an entry its value.
            problems += [problem.below(name, f"[{place}].value") for problem in element(one)]
        return problems

    return test


def _scalar(due: str, good: Callable[[Json], bool]) -> Check:
    def test(value: Json) -> list[Problem]:
        return _NOTHING if good(value) else [Problem(WRONG, due, value)]

    return test


def _is_whole(value: Json, limit: int) -> bool:
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else None
    if type(value) is float:
        return value.is_integer() and abs(value) <= limit
    return type(value) is int and -limit <= value < limit


def _is_number(value: Json) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_text(pattern: re.Pattern[str]) -> Callable[[Json], bool]:
    return lambda value: type(value) is str and pattern.fullmatch(value) is not None


_SCALARS: dict[str, Check] = {
    "string": _scalar("TYPE_STRING", lambda value: type(value) is str),
    "bool": _scalar("TYPE_BOOL", lambda value: type(value) is bool),
    "int32": _scalar("TYPE_INT32", lambda value: _is_whole(value, _RANGES["int32"])),
    "int64": _scalar("TYPE_INT64", lambda value: _is_whole(value, _RANGES["int64"])),
    "float": _scalar("TYPE_FLOAT", _is_number),
    "double": _scalar("TYPE_DOUBLE", _is_number),
    "bytes": _scalar("TYPE_BYTES", _is_text(_BASE64)),
    # Enums get new values with every release, so they are not checked; only the types of a schema are few and stable.
    "enum": _scalar("TYPE_ENUM", lambda value: type(value) in {str, int}),
    "Type": _scalar(
        "Type", lambda value: type(value) is int or (type(value) is str and value.upper() in _TYPES)
    ),
    "duration": _scalar("Duration", _is_text(_DURATION)),
    "timestamp": _scalar("Timestamp", lambda value: type(value) is str),
    "struct": _scalar("Struct", lambda value: type(value) is dict),
    "any": lambda _value: _NOTHING,
}
