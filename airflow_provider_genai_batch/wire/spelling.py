"""Converts Python data (dicts in either casing, objects, users' own data) into JSON data with lowerCamel names.

Source: proto3 JSON mapping.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

from airflow_provider_genai_batch.exceptions import RequestError

_UNDERSCORE = re.compile(r"_+([A-Za-z0-9])")


def camel(name: str) -> str:
    """Spell a field in lowerCamel: ``top_p`` as ``topP``; ``topP`` stays."""
    return _UNDERSCORE.sub(lambda found: found[1].upper(), name) if "_" in name else name


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return the fields that are set in a dict or a model-like object, by lowerCamel name; None for anything else.

    Objects are recognized by their ``model_dump`` method, not by their class, so objects of ``google.genai.types`` are
    read without that package. None means unset, as in the SDK.

    Raises:
        RequestError: a name is not a string, or a field occurs in both spellings.
    """
    if value.__class__ is dict or isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, BaseModel):
        pairs = dict(value).items()  # one level: inner values keep their class
    elif not isinstance(value, type) and callable(dump := getattr(value, "model_dump", None)):
        pairs = dump(exclude_none=True).items()
    else:
        return None
    fields: dict[str, Any] = {}
    for name, inner in pairs:
        if inner is None:
            continue
        if not isinstance(name, str):
            msg = f"field names are strings, not {type(name).__name__} ({name!r})"
            raise RequestError(msg)
        spelled = camel(name)
        if spelled in fields:
            msg = f"{spelled} is given twice, in both spellings"
            raise RequestError(msg, "Keep one.")
        fields[spelled] = inner
    return fields


def config_fields(config: Any, of: str = "its") -> dict[str, Any]:
    """Return the fields of a request's ``config``; see `fields_of`.

    Args:
        config: dict or object.
        of: the owner of the fields, for the message.

    Raises:
        RequestError: it has no fields.
    """
    fields = fields_of(config)
    if fields is None:
        msg = f"config is of type {type(config).__name__}"
        raise RequestError(msg, f"Give {of} fields as a dict or an object.")
    return fields


def as_written(value: Any, name: str) -> str:
    """Return the name of a field of `value` as the user wrote it, for messages."""
    names = value if isinstance(value, Mapping) else dict(value) if isinstance(value, BaseModel) else ()
    return next((given for given in names if isinstance(given, str) and camel(given) == name), name)


def text(value: str, holder: str) -> str:
    """Return the text if it can be written as UTF-8.

    Raises:
        RequestError: it contains half of a surrogate pair, which no service accepts.
    """
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            msg = f"{holder} holds half of a surrogate pair at character {error.start}"
            raise RequestError(msg, "Give text that can be written as UTF-8.") from error
    return value


def free(value: Any, holder: str) -> Any:
    """Convert the user's own data into JSON data; names and nulls stay as they are.

    Raises:
        RequestError: it contains something that JSON cannot represent.
    """
    if isinstance(value, Mapping):
        if odd := [name for name in value if not isinstance(name, str)]:
            msg = f"names inside {holder} are strings, not {type(odd[0]).__name__} ({odd[0]!r})"
            raise RequestError(msg)
        return {name: free(inner, holder) for name, inner in value.items()}
    if isinstance(value, BaseModel):
        return {name: free(inner, holder) for name, inner in value if inner is not None}
    if isinstance(value, (list, tuple)):
        return [free(item, holder) for item in value]
    return None if value is None else _leaf(value, holder)


def _leaf(value: Any, holder: str) -> str | int | float | bool:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return text(value, holder)
    if isinstance(value, int):  # and bool
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            msg = f"{holder} is {value}, which JSON cannot represent"
            raise RequestError(msg, "Give a finite number.")
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    msg = f"{holder} holds a {type(value).__name__}, which cannot be sent"
    raise RequestError(msg, "Give plain data: strings, numbers, lists, dicts, bytes.")
