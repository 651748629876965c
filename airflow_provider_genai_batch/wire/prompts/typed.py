"""Converts values of a request by the kinds in its messages, from Python objects to proto3 JSON in lowerCamel.

Values of another kind are converted if Google's google-genai SDK converts them (``"5"`` to a number, a tuple to a list,
an enumeration name in any case), and refused if it refuses them. A boolean is never a number here.
Source: proto3 JSON mapping; the SDK's types, by `wire.prompts.messages`.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.advice import advice
from airflow_provider_genai_batch.wire.prompts.backend_fields import (
    accepted_fields,
    check_field,
    check_image_size,
    check_uri,
)
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES
from airflow_provider_genai_batch.wire.spelling import as_written, camel, fields_of, free, text
from airflow_provider_genai_batch.wire.values import timestamp

_VERTEX = Backend.VERTEX
_OF_GEMINI, _OF_VERTEX = accepted_fields(Backend.GEMINI), accepted_fields(_VERTEX)
INT32 = 1 << 31
"""Whole numbers of requests are int32 in the services' references; those of schemas are read elsewhere."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)
_YES_AND_NO = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_NOUNS = {"Part": "a part", "Content": "a Content"}
"""Names of messages that their paths do not show."""
_JSON_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    bytes: "bytes",
    list: "a list",
    tuple: "a list",
    dict: "an object",
    type(None): "null",
}


def message(value: Any, name: str, path: str, backend: Backend) -> dict[str, Any]:
    """Convert a message.

    Args:
        value: dict or object, either casing.
        name: a name in `MESSAGES`.
        path: its place in the request, for errors.
        backend: where the request goes.

    Raises:
        RequestError: a field that it does not have, one of the other service, or a value of the wrong kind.
    """
    fields = fields_of(value)
    if fields is None:
        raise other_kind(
            path, value, "an object", f"It has {', '.join(sorted(MESSAGES[name])) or 'no fields'}."
        )
    kinds = (_OF_VERTEX if backend is _VERTEX else _OF_GEMINI)[name]
    spelled: dict[str, Any] = {}
    for field, inner in fields.items():
        kind = kinds.get(field)
        if kind is None:
            if field in MESSAGES[name]:
                check_field(name, field, backend, path)
            raise unknown(as_written(value, field), name, path, backend, fields)
        spelled[field] = typed(inner, kind, f"{path}.{field}", backend)
    if "fileUri" in spelled:
        check_uri(spelled["fileUri"], backend)
    if name in ("ImageConfig", "ImageResponseFormat") and backend is _VERTEX:
        check_image_size(spelled.get("imageSize"), path)
    return _of_images(spelled) if name == "ImageConfig" else spelled


def typed(value: Any, kind: str, path: str, backend: Backend) -> Any:
    """Convert a value to a kind of `MESSAGES`.

    Raises:
        RequestError: it is of the wrong kind.
    """
    if leaf := _LEAVES.get(kind):
        return leaf(value, path)
    if kind[0] == "[":
        if not isinstance(value, (list, tuple)):
            raise other_kind(path, value, "a list", "Put it into a list, also when there is only one.")
        inner = kind[1:-1]
        return [typed(one, inner, f"{path}[{index}]", backend) for index, one in enumerate(value)]
    if kind[0] == "{":
        return _named(value, kind[1:-1], path, backend)
    return message(value, kind, path, backend)


def unknown(
    written: str, messages: str | tuple[str, ...], path: str, backend: Backend, present: Collection[str] = ()
) -> RequestError:
    """Return the error for a field that is in none of the messages."""
    several = (messages,) if isinstance(messages, str) else messages
    said = advice(camel(written), several, backend, present)
    place = ", ".join(filter(None, (_NOUNS.get(several[0]), path)))
    return RequestError(f"unknown field {written!r}{f' in {place}' if place else ''}", said)


def other_kind(path: str, value: Any, wanted: str, remedy: str) -> RequestError:
    """Return the error for a value of the wrong kind; the value is not shown, because it may be the user's data."""
    return RequestError(f"{path} is not {wanted} but {_found(value)}", remedy)


def _found(value: Any) -> str:
    return _JSON_KINDS.get(type(value), type(value).__name__)


def _named(value: Any, kind: str, path: str, backend: Backend) -> dict[str, Any]:
    """Convert an object whose names are chosen by the user."""
    if not isinstance(value, Mapping) and kind != "any":
        msg = f"{path} is not a dict of strings but {_found(value)}"
        raise RequestError(msg, "Write an object of names and values.")
    if kind == "any":
        spelled = free(value, path)
        if not isinstance(spelled, dict):
            raise other_kind(path, value, "an object", "Write an object; put other data into a field of it.")
        return spelled
    if odd := [name for name in value if not isinstance(name, str)]:
        msg = f"names inside {path} are strings, not {type(odd[0]).__name__} ({odd[0]!r})"
        raise RequestError(msg, "Write names as strings.")
    if kind == "string" and (
        odd := [name for name, inner in value.items() if not isinstance(_plain(inner), str)]
    ):
        msg = f"{path} is not a dict of strings: {odd[0]} is {_found(value[odd[0]])}"
        raise RequestError(msg, "Write numbers as strings.")
    return {name: typed(inner, kind, f"{path}.{name}", backend) for name, inner in value.items()}


def _of_images(config: dict[str, Any]) -> dict[str, Any]:
    """Rename the SDK's ``output_mime_type`` and ``output_compression_quality`` to Vertex AI's fields."""
    options = {
        name: config.pop(given)
        for given, name in (
            ("outputMimeType", "mimeType"),
            ("outputCompressionQuality", "compressionQuality"),
        )
        if given in config
    }
    if options:
        config["imageOutputOptions"] = {**options, **config.get("imageOutputOptions", {})}
    return config


def _string(value: Any, path: str) -> str:
    if value.__class__ is str:
        return text(value, path)
    value = _plain(value)
    if isinstance(value, (bytes, bytearray)):
        try:
            value = bytes(value).decode()
        except UnicodeDecodeError as error:
            raise other_kind(path, value, "text", "Give text, or data as inline_data.") from error
    if not isinstance(value, str):
        raise other_kind(path, value, "a string", "Write it in quotes.")
    return text(value, path)


def _number(value: Any, path: str) -> int | float:
    if value.__class__ is int:
        return value
    value = _plain(value)
    if isinstance(value, str) and value.strip().isascii():
        try:
            value = float(value) if not value.strip().lstrip("+-").isdigit() else int(value)
        except ValueError as error:
            raise other_kind(path, value, "a number", "Write a number, such as 0.5.") from error
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise other_kind(path, value, "a number", "Write a number, such as 0.5.")
    if isinstance(value, float) and not math.isfinite(value):
        msg = f"{path} is {value}, which JSON cannot represent"
        raise RequestError(msg, "Give a finite number.")
    return value


def _integer(value: Any, path: str) -> int:
    number = _number(value, path)
    if isinstance(number, float) and not number.is_integer():
        msg = f"{path} is {number}, not a whole number"
        raise RequestError(msg, f"Write {math.floor(number)} or {math.ceil(number)}.")
    if not -INT32 <= number < INT32:
        msg = f"{path} is a number of more than 32 bits"  # not shown: it may have thousands of digits
        raise RequestError(msg, f"Write one from {-INT32} to {INT32 - 1}.")
    return int(number)


def _boolean(value: Any, path: str) -> bool:
    value = _plain(value)
    if isinstance(value, bool):
        return value
    found = _YES_AND_NO.get(str(value).lower()) if isinstance(value, (str, int)) else None
    if found is None:
        raise other_kind(path, value, "true or false", "Write true or false, without quotes.")
    return found


def _bytes(value: Any, path: str) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if not isinstance(value, str):
        raise other_kind(path, value, "base64", "Give bytes, or base64 as a string.")
    if not _BASE64.fullmatch(value):
        msg = f"{path} is not base64"
        raise RequestError(msg, "Encode the bytes as base64, without line breaks.")
    return value


def _time(value: Any, path: str) -> str:
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo else f"{value.isoformat()}Z"
    said = _string(value, path)
    if timestamp(said) is None:
        msg = f"{path} is no time"
        raise RequestError(msg, 'Write it as "2026-01-31T12:00:00Z".')
    return said


def _enum(value: Any, path: str) -> str:
    """Convert an enumeration name: the services accept upper case only; people (and the SDK) write either."""
    return _string(value, path).upper()


def _any(value: Any, path: str) -> Any:
    return free(value, path)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


_LEAVES: dict[str, Callable[[Any, str], Any]] = {
    "string": _string,
    "bytes": _bytes,
    "int": _integer,
    "float": _number,
    "bool": _boolean,
    "time": _time,
    "enum": _enum,
    "any": _any,
}
