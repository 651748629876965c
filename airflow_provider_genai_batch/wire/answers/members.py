"""Reads the members of an answer by the names and types of `models.answers`, and counts all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from airflow_provider_genai_batch.printable import printable

_KINDS, _LONGEST = 50, 80
"""The most kinds, and the most characters of one: a faulty service may send any number of names of any length."""
OTHERS = "others"
"""Counts all further kinds."""
_INT64 = 1 << 63


class Kinds(Counter[str]):
    """Counts by kind. A service chooses the names of the kinds, so they are limited to a size fit for a manifest."""

    def count(self, kind: str, number: int = 1) -> None:
        """Count `number` more of a kind."""
        if kind not in self:
            kind = printable(kind, _LONGEST)
            if kind not in self and len(self) >= _KINDS:
                kind = OTHERS
        self[kind] += number

    def absorb(self, other: Kinds) -> None:
        """Add the counts of another counter."""
        for kind, number in other.items():
            self.count(kind, number)


class Dropped(Kinds):
    """Counts of members that no row contains, by their dotted path in lowerCamel."""


Reader: TypeAlias = Callable[[Any, str, Dropped], Any]
"""Takes a value, its path and a counter for skipped members; returns what it read, or None."""


def read_members(model: type[BaseModel], value: Any, where: str, dropped: Dropped) -> dict[str, Any] | None:
    """Return the members of an object that are fields of a model, by the model's names; None if there are none.

    Args:
        model: a model in `models.answers`.
        value: the object, in lowerCamel or snake_case.
        where: its dotted path.
        dropped: counts all other members, except null and empty text.
    """
    if not isinstance(value, Mapping):
        count_value(value, where, dropped)
        return None
    fields, members = _fields(model), {}
    for name, member in value.items():
        if nothing(member):
            continue
        found = fields.get(name)
        below = _below(where, name)
        if found is None or found[0] in members:
            dropped.count(below)
        elif (read := found[1](member, below, dropped)) is not None:
            members[found[0]] = read
    return members or None


def read_list(model: type[BaseModel], value: Any, where: str, dropped: Dropped) -> list[Any] | None:
    """Return the objects of an array, each as `read_members` returns it; None if they have no such members."""
    read = (read_members(model, item, where, dropped) for item in listed(value, where, dropped))
    return [one for one in read if one is not None] or None


def count_rest(value: Mapping[str, Any], known: frozenset[str], where: str, dropped: Dropped) -> None:
    """Count the members of an object that are not `known` (in lowerCamel)."""
    for name, member in value.items():
        if name not in known and not nothing(member) and to_lower_camel(name) not in known:
            dropped.count(_below(where, name))


def count_value(value: Any, where: str, dropped: Dropped) -> None:
    """Count a value that cannot be read, unless it is `nothing`."""
    if not nothing(value):
        dropped.count(where)


def listed(value: Any, where: str, dropped: Dropped) -> list[Any]:
    """Return an array; an empty one for anything else, which is counted unless it is `nothing`."""
    if isinstance(value, list):
        return value
    count_value(value, where, dropped)
    return []


def filled(**members: Any) -> dict[str, Any]:
    """Return the members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def nothing(value: Any) -> bool:
    """Whether a member counts as absent: null or empty text."""
    return value is None or value == ""


@lru_cache(maxsize=1024)  # every row has the same few names
def to_lower_camel(name: str) -> str:
    """Return a member's name in the spelling of the services' references."""
    return to_camel(name) if "_" in name else name


def _below(where: str, name: str) -> str:
    name = to_lower_camel(name)
    return f"{where}.{name}" if where else name


@cache
def _fields(model: type[BaseModel]) -> dict[str, tuple[str, Reader]]:
    """Return the fields of a model by both spellings of their names."""
    return {
        spelled: (name, _reader(field.annotation))
        for name, field in model.model_fields.items()
        for spelled in (name, to_lower_camel(name))
    }


def _reader(kind: Any) -> Reader:
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (one for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is tuple:
        return _many(_reader(get_args(kind)[0]))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return lambda value, where, dropped: read_members(kind, value, where, dropped)
    return _PLAIN[get_origin(kind) or kind]


def _many(read: Reader) -> Reader:
    def many(value: Any, where: str, dropped: Dropped) -> list[Any] | None:
        items = listed(value, where, dropped)
        return [one for item in items if (one := read(item, where, dropped)) is not None] or None

    return many


def _plain(takes: Callable[[Any], Any]) -> Reader:
    def read(value: Any, where: str, dropped: Dropped) -> Any:
        kept = takes(value)
        if kept is None:
            count_value(value, where, dropped)
        return kept

    return read


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if -_INT64 <= number < _INT64 and (isinstance(value, str) or number == value) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) != float("inf") and number == number else None  # noqa: PLR0124 - NaN


_PLAIN: dict[Any, Reader] = {
    str: _plain(lambda value: value if isinstance(value, str) else None),
    bool: _plain(lambda value: value if isinstance(value, bool) else None),
    int: _plain(_whole),
    float: _plain(_number),
    dict: _plain(lambda value: value if isinstance(value, dict) else None),
}
