"""Plain types: their answers are read and written without creating an instance.

Whatever the reader of a plain type accepts, Pydantic accepts as well, and both write the same values. Pydantic decides
about all other answers. A type is plain if Pydantic's own schema of it contains only what this module knows: objects
with named members, lists, mappings, texts, numbers, choices and null, without constraints, validators, aliases or
serializers of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import GenericAlias
from typing import Any, Literal

import msgspec
from msgspec.json import Decoder, Encoder

_ATOMS: Mapping[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}
_SAID: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_ATOMS, frozenset()),
    "literal": frozenset(("expected",)),
    "enum": frozenset(("cls", "members", "sub_type")),
    "nullable": frozenset(("schema",)),
    "list": frozenset(("items_schema",)),
    "dict": frozenset(("keys_schema", "values_schema")),
    "model": frozenset(("cls", "schema", "config", "custom_init", "root_model")),
    "model-fields": frozenset(("fields", "model_name", "computed_fields")),
    "model-field": frozenset(("schema",)),
    "default": frozenset(("schema", "default")),
    "definitions": frozenset(("schema", "definitions")),
    "definition-ref": frozenset(("schema_ref",)),
}
"""What Pydantic's schema may contain, by the kind of type; every kind may have `type`, `ref` and `metadata`."""
_OF_EACH = frozenset(("type", "ref", "metadata"))
_encode = Encoder().encode


class _NotPlain(Exception):
    """The type has something that this module does not know."""


def plain_reader(core: Any) -> Callable[[str], bytes] | None:
    """Return a function that takes an answer's text and returns its JSON; None if the type is not plain.

    The function raises `msgspec.DecodeError`, ValueError or OverflowError for answers that Pydantic has to judge.

    Args:
        core: Pydantic's schema of the type.
    """
    try:
        decode = Decoder(_kind(core, {}, ())).decode
    except (_NotPlain, TypeError):  # msgspec refuses types that it cannot distinguish, and empty choices
        return None
    return lambda text: _encode(decode(text))


def _kind(core: Any, known: Mapping[str, Any], within: Sequence[str]) -> Any:
    """Return the type for msgspec.

    Args:
        core: Pydantic's schema of it.
        known: schemas that others refer to.
        within: the references that lead to it.

    Raises:
        _NotPlain: it is not plain.
    """
    _check_said(core)
    name = core["type"]
    if name in _ATOMS:
        return _ATOMS[name]
    if name in ("literal", "enum"):
        return _choice(core)
    if name == "definitions":
        return _kind(core["schema"], {one["ref"]: one for one in core["definitions"]}, within)
    if name == "definition-ref":
        reference = core["schema_ref"]
        if reference in within or reference not in known:
            raise _NotPlain
        return _kind(known[reference], known, (*within, reference))
    return _of_others(core, known, within)


def _of_others(core: Any, known: Mapping[str, Any], within: Sequence[str]) -> Any:
    """Return a type that is composed of others."""
    name, inside = core["type"], None
    if name == "model":
        return _object(core, known, within)
    if name == "list":
        inside = core.get("items_schema")
    elif name == "nullable":
        inside = core["schema"]
    elif name == "dict" and core.get("keys_schema") == {"type": "str"}:
        inside = core.get("values_schema")
    if inside is None:
        raise _NotPlain
    kind = _kind(inside, known, within)
    if name == "nullable":
        return kind | None
    return GenericAlias(list, (kind,)) if name == "list" else GenericAlias(dict, (str, kind))


def _choice(core: Any) -> Any:
    values = core["expected"] if core["type"] == "literal" else [one.value for one in core["members"]]
    if {type(value) for value in values} not in ({str}, {int}):
        raise _NotPlain
    return Literal[tuple(values)]


def _object(core: Any, known: Mapping[str, Any], within: Sequence[str]) -> Any:
    inside = core["schema"]
    more = core.get("config", {}).keys() - {"title"} or core.get("custom_init") or core.get("root_model")
    if more or inside["type"] != "model-fields" or inside.get("computed_fields"):
        raise _NotPlain
    _check_said(inside)
    members: list[Any] = []
    for name, field in inside["fields"].items():
        _check_said(field)
        value = field["schema"]
        if value["type"] != "default":
            members.append((name, _kind(value, known, within)))
            continue
        _check_said(value)
        kind, constant = _kind(value["schema"], known, within), _constant(value)
        members.append((name, kind, float(constant) if kind is float and type(constant) is int else constant))
    # Pydantic may refuse, drop or keep unnamed members, so it has to read such answers.
    return msgspec.defstruct("Answer", members, forbid_unknown_fields=True, kw_only=True, gc=False)


def _check_said(core: Any) -> None:
    """Refuse a schema that contains more than this module knows."""
    if core["type"] not in _SAID or core.keys() - _SAID[core["type"]] - _OF_EACH:
        raise _NotPlain


def _constant(core: Any) -> Any:
    if "default" not in core:
        raise _NotPlain
    value = core["default"]
    plain = type(value) in (str, int, bool, type(None)) or (type(value) is float and math.isfinite(value))
    if not plain:
        raise _NotPlain
    return value
