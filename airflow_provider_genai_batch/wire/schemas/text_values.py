"""Texts of an answer that stand for other values, because enums of the service's dialect have only strings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, product
from typing import Any, TypeAlias

Back: TypeAlias = Callable[[Any], Iterator[Any]]
"""Takes JSON data of an answer, and yields the values that it may stand for, the likeliest first."""

_MOST = 64
"""The most readings of an answer. A union may allow several: ``"1"`` is 1 or a text."""
_KINDS: Mapping[Any, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_NOTHING: Mapping[str, Any] = {"type": "nothing"}
"""A schema that no value fits."""


def texts_back(texts: Mapping[str, Any]) -> Back | None:
    """Return the conversion of texts back to values; None if each text stands for itself."""
    other = {text: value for text, value in texts.items() if not isinstance(value, str)}
    return partial(_from_text, other) if other else None


def items_back(back: Back | None) -> Back | None:
    """Return the conversion for a list, from that of its items."""
    return None if back is None else partial(_each, back)


def fields_back(known: Mapping[str, Back | None], others: Back | None) -> Back | None:
    """Return the conversion for an object, from those of its fields."""
    ways = {name: back for name, back in known.items() if back is not None}
    return partial(_in_fields, ways, others) if ways or others else None


def choice_back(choices: Sequence[tuple[Mapping[str, Any], Back | None]]) -> Back | None:
    """Return the conversion for one of several schemas: it uses the schemas that a value fits."""
    return partial(_of_those_that_fit, tuple(choices)) if any(back for _, back in choices) else None


def _from_text(texts: Mapping[str, Any], value: Any) -> Iterator[Any]:
    yield texts.get(value, value) if isinstance(value, str) else value


def _each(back: Back, value: Any) -> Iterator[Any]:
    if not isinstance(value, list):
        return iter((value,))
    return map(list, islice(product(*(back(item) for item in value)), _MOST))


def _in_fields(ways: Mapping[str, Back], others: Back | None, value: Any) -> Iterator[Any]:
    if not isinstance(value, dict):
        return iter((value,))
    meant = [
        (inner,) if (way := ways.get(name, others)) is None else way(inner) for name, inner in value.items()
    ]
    return (dict(zip(value, some, strict=True)) for some in islice(product(*meant), _MOST))


def _of_those_that_fit(choices: Sequence[tuple[Mapping[str, Any], Back | None]], value: Any) -> Iterator[Any]:
    # A value that fits no choice is also paid for. So all readings go to the check, which says what is wrong.
    ways = [back for schema, back in choices if _fits(value, schema)] or [back for _, back in choices]
    for back in ways:
        if back is not None:
            yield from back(value)
    if None in ways:
        yield value


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value fits a schema of `wire.schemas.type_schema`, apart from its patterns."""
    if value is None and (schema.get("nullable") or schema.get("type") == "null"):
        return True
    if "anyOf" in schema:
        return any(_fits(value, choice) for choice in schema["anyOf"])
    kind = schema["type"]
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0 is a whole number as well
    if not isinstance(value, _KINDS.get(kind, ())) or (isinstance(value, bool) and kind != "boolean"):
        return False
    if isinstance(value, (list, dict)):
        return _holds(value, schema)
    if isinstance(value, str):
        return _has_room(len(value), schema, "Length") and value in schema.get("enum", (value,))
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _holds(value: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, list):
        return _has_room(len(value), schema, "Items") and all(_fits(item, schema["items"]) for item in value)
    known, others = schema.get("properties", {}), schema.get("additionalProperties") or _NOTHING
    return all(name in value for name in schema.get("required", ())) and all(
        _fits(inner, known.get(name, others)) for name, inner in value.items()
    )


def _has_room(size: int, schema: Mapping[str, Any], what: str) -> bool:
    return bool(schema.get(f"min{what}", size) <= size <= schema.get(f"max{what}", size))
