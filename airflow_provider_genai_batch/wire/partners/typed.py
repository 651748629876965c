"""Checks messages in a partner's own format, every name and kind of value, before money is spent.

Values are read like those of Google's messages (`wire.prompts.typed`). Names must have the partner's spelling.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.partners.messages import PARTNER_MESSAGES, REFUSED, ROLES, WORDS, Table
from airflow_provider_genai_batch.wire.prompts.advice import all_of, nearest
from airflow_provider_genai_batch.wire.prompts.typed import other_kind, typed
from airflow_provider_genai_batch.wire.values import snake, standard_base64

_LEAVES = frozenset({"string", "bytes", "int", "float", "bool", "any"})


def own_fields(value: Any) -> dict[str, Any] | None:
    """Return the fields that are set in a dict or a model-like object, with unchanged names; None for anything else.

    Raises:
        RequestError: a name is not a string.
    """
    if not isinstance(value, Mapping):
        dump = None if isinstance(value, type) else getattr(value, "model_dump", None)
        if not callable(dump):
            return None
        value = dump(exclude_none=True)
    for name in value:
        if not isinstance(name, str):
            msg = f"field names are strings, not {type(name).__name__} ({name!r})"
            raise RequestError(msg, "Write names as strings.")
    return {name: inner for name, inner in value.items() if inner is not None}


def partner_message(value: Any, name: str, path: str, family: Family) -> dict[str, Any]:
    """Check a partner's message.

    Args:
        value: dict or object, with the partner's names.
        name: a name in `PARTNER_MESSAGES`, without the word for its type.
        path: its place in the request, for errors; empty: the request itself.
        family: the partner's family.

    Raises:
        RequestError: a field that it does not have, or a value of the wrong kind.
    """
    table = PARTNER_MESSAGES[family]
    fields = own_fields(value)
    if fields is None:
        raise other_kind(path or "request", value, "an object", "Write an object of names and values.")
    kinds = table.get(name) or _of_its_type(fields, name, path, family)
    spelled = {}
    for field, inner in fields.items():
        kind = kinds.get(field)
        if kind is None:
            raise unknown_field(field, name, path, family, kinds, fields)
        spelled[field] = _value(inner, kind, f"{path}.{field}" if path else field, family)
    if name == "Turn":
        _check_turn(spelled, path, family)
    return spelled


def unknown_field(
    field: str, name: str, path: str, family: Family, kinds: Collection[str], present: Collection[str] = ()
) -> RequestError:
    """Return the error for a field that a message does not have."""
    msg = f"unknown field {field!r}{f' in {path}' if path else ''}"
    if remedy := REFUSED[family].get((name, field)):
        return RequestError(msg, remedy)
    free = [one for one in kinds if one not in present]
    spelled = snake(field)
    remedy = (
        nearest(spelled, WORDS[family].get(spelled, spelled), free)
        or all_of(free)
        or "Leave it out: a batch on Vertex AI is not known to take it."
    )
    return RequestError(msg, remedy)


def _of_its_type(fields: Mapping[str, Any], name: str, path: str, family: Family) -> Mapping[str, str]:
    table: Table = PARTNER_MESSAGES[family]
    words = {one.partition(".")[2]: kinds for one, kinds in table.items() if one.startswith(f"{name}.")}
    word = fields.get("type")
    if not isinstance(word, str) or word not in words:
        shown = "no type" if word is None else f"the type {word!r}"
        remedy = REFUSED[family].get((name, str(word))) or f"There are {', '.join(sorted(words))}."
        msg = f"{path or 'it'} has {shown}"
        raise RequestError(msg, remedy)
    return words[word]


def _value(value: Any, kind: str, path: str, family: Family) -> Any:
    for one in kind.split("|"):
        if one == "string" and "|" in kind and not isinstance(value, str):
            continue
        if one == "bytes":
            return standard_base64(typed(value, one, path, Backend.VERTEX))
        if one in _LEAVES:
            return typed(value, one, path, Backend.VERTEX)
        if one[0] == "[":
            if not isinstance(value, (list, tuple)):
                wanted = "a string or a list" if "|" in kind else "a list"
                raise other_kind(path, value, wanted, "Put it into a list, also when there is only one.")
            return [_value(inner, one[1:-1], f"{path}[{index}]", family) for index, inner in enumerate(value)]
    return partner_message(value, kind, path, family)


def _check_turn(turn: Mapping[str, Any], path: str, family: Family) -> None:
    role = turn.get("role")
    roles = ROLES[family]
    if (remedy := roles.get(str(role))) != "":
        shown = "no role" if role is None else f"the unknown role {role!r}"
        words = ", ".join(word for word, other in roles.items() if not other)
        msg = f"{path} has {shown}"
        raise RequestError(msg, remedy or f"The roles are {words}.")
    if not turn.get("content") and not turn.get("tool_calls"):
        msg = f"{path} has no content"
        raise RequestError(msg, 'Write {"role": "user", "content": "…"}.')
