"""Runs beside Google's SDK: prints the fields of every message that a request can hold, and their kinds, as JSON.

``{"version": …, "types": {name: {field: kind}}}``; a kind is a scalar's Python name, ``enum``, ``any``, ``struct``, a
message, ``[kind]`` or ``{kind}``; several that a field can be are joined by ``|``.
"""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import json
import types as python_types
import typing
from typing import Any

import google.genai
from google.genai import types

ROOTS = (
    "Content",
    "Tool",
    "GenerateContentConfig",
    "GenerationConfig",
    "ModelSelectionConfig",
    "EmbedContentConfig",
)
_SCALARS = {str: "str", int: "int", float: "float", bool: "bool", bytes: "bytes", dt.datetime: "time"}


def main() -> None:
    """Print what the SDK's types say."""
    found: dict[str, dict[str, str]] = {}
    waiting = [getattr(types, name) for name in ROOTS]
    while waiting:
        model = waiting.pop()
        if model.__name__ in found:
            continue
        hints = typing.get_type_hints(model)
        found[model.__name__] = {
            field.alias or name: _kind(hints[name], waiting) for name, field in model.model_fields.items()
        }
    print(json.dumps({"version": google.genai.__version__, "types": found}))  # noqa: T201 - its reply


def _kind(hint: Any, waiting: list[Any]) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, python_types.UnionType}:
        kinds = [_kind(one, waiting) for one in inner if one is not type(None)]
        return "|".join(dict.fromkeys(kinds))
    if origin is list or hint is list:
        return f"[{_kind(inner[0], waiting) if inner else 'any'}]"
    if origin is dict or hint is dict:
        value = _kind(inner[1], waiting) if inner else "any"
        return "struct" if value == "any" else f"{{{value}}}"
    if inspect.isclass(hint) and hasattr(hint, "model_fields"):
        waiting.append(hint)
        return hint.__name__
    is_enum = origin is typing.Literal or (inspect.isclass(hint) and issubclass(hint, enum.Enum))
    return "enum" if is_enum else _SCALARS.get(hint, "any")


if __name__ == "__main__":
    main()
