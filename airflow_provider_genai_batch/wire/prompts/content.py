"""Prompts: from a string, Parts, Contents and mixtures of them to ``contents``.

Source: how Google's google-genai SDK interprets ``contents``; captures of what it sends.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES
from airflow_provider_genai_batch.wire.prompts.typed import message, typed, unknown
from airflow_provider_genai_batch.wire.spelling import as_written, fields_of, text

PART_FIELDS, CONTENT_FIELDS = MESSAGES["Part"].keys(), MESSAGES["Content"].keys()
_DATA = frozenset(
    {
        "codeExecutionResult",
        "executableCode",
        "fileData",
        "functionCall",
        "functionResponse",
        "inlineData",
        "text",
        "toolCall",
        "toolResponse",
    }
)
"""Fields of which a part has exactly one: the service refuses a second, and a part without any."""
_FILE_DATA_FIELDS = MESSAGES["FileData"].keys()
_ROLES = frozenset({"user", "model", "function", "tool", ""})
"""The roles that name a speaker; the third and the fourth come from Google's older pages."""
_OTHERS_ROLES = {
    "assistant": "Google's name for it is model.",
    "system": "Give the system prompt as system_instruction, in config or in request_defaults.",
}
"""Roles of other services: the service would refuse each request with one, but only after the job has run."""


def contents(value: Any, backend: Backend) -> list[dict[str, Any]]:
    """Convert ``contents``.

    A string, a part or a list of parts is one user turn. Consecutive parts belong together. A list inside the list is
    a separate turn. Function calls are the model's turn.

    Raises:
        RequestError: it is empty, or cannot be sent.
    """
    if isinstance(value, str):
        return [{"parts": [{"text": text(value, "contents")}], "role": "user"}]
    if not isinstance(value, (list, tuple)):
        return [_said(content(value, backend, "contents"), "contents")]
    if not value:
        msg = "contents is an empty list"
        raise RequestError(msg, "Give at least one prompt.")
    turns: list[dict[str, Any]] = []
    open_role = None  # the role of the last turn, while more loose parts may still be added to it
    for index, item in enumerate(value):
        path = f"contents[{index}]"
        if isinstance(item, (list, tuple)):
            turns.append(_turn(parts(item, backend, path), role="user"))
            open_role = None
        elif is_content(item):
            turns.append(_said(content(item, backend, path), path))
            open_role = None
        else:
            one = part(item, backend, f"{path}.parts")
            role = _role(one)
            if role == open_role:
                turns[-1]["parts"].append(one)
            else:
                turns.append(_turn([one], role=role))
            open_role = role
    return turns


def _said(turn: dict[str, Any], path: str) -> dict[str, Any]:
    """Check a turn of a conversation, and return it."""
    role = turn.get("role", "")
    if role not in _ROLES:
        msg = f"unknown role {role!r} in {path}"
        raise RequestError(msg, _OTHERS_ROLES.get(role, "Google's roles are user and model."))
    if not turn.get("parts"):
        msg = f"{path} has no parts"
        raise RequestError(msg, 'Give at least one part: {"role": "user", "parts": [{"text": "…"}]}.')
    return turn


def content(value: Any, backend: Backend, path: str = "content") -> dict[str, Any]:
    """Convert a Content, a string, a part, or a list of parts into a Content.

    Raises:
        RequestError: it is empty, or cannot be sent.
    """
    if isinstance(value, (list, tuple)) and len(value) == 1 and is_content(value[0]):
        value = value[0]
    if isinstance(value, (list, tuple)):
        return _turn(parts(value, backend, path), role="user")
    if not is_content(value):
        one = part(value, backend, path)
        return _turn([one], role=_role(one))
    fields = fields_of(value) or {}
    if strange := [name for name in fields if name not in CONTENT_FIELDS]:
        raise unknown(as_written(value, strange[0]), "Content", path, backend, fields)
    spelled: dict[str, Any] = {}
    if "parts" in fields:
        given = fields["parts"]
        several = given if isinstance(given, (list, tuple)) else [given]
        spelled["parts"] = parts(several, backend, f"{path}.parts")
    if "role" in fields:
        spelled["role"] = typed(fields["role"], "string", f"{path}.role", backend)
    return spelled


def parts(several: Iterable[Any], backend: Backend, path: str) -> list[dict[str, Any]]:
    """Convert parts.

    Raises:
        RequestError: one cannot be sent.
    """
    return [part(one, backend, f"{path}[{index}]") for index, one in enumerate(several)]


def is_content(value: Any) -> bool:
    """Whether it is a Content, in any spelling, rather than a part or a string."""
    fields = fields_of(value)
    return fields is not None and not fields.keys().isdisjoint(CONTENT_FIELDS)


def is_prompt(value: Any) -> bool:
    """Whether ``contents`` accepts it: a string, a list, a Content, a part, a file, a picture."""
    if isinstance(value, (str, list, tuple)) or _is_picture(value):
        return True
    fields = fields_of(value)
    if not fields:
        return False
    return is_content(value) or fields.keys() <= PART_FIELDS or _file_data(fields) is not None


def part(value: Any, backend: Backend, path: str = "part") -> dict[str, Any]:
    """Convert a string, a Part, a FileData, an uploaded File or a picture (Pillow) into a part.

    Raises:
        RequestError: it is none of these, or names a file that the backend cannot read.
    """
    if isinstance(value, str):
        return {"text": text(value, path)}
    if _is_picture(value):
        return {"inlineData": _picture(value)}
    fields = fields_of(value)
    if fields is None:
        msg = f"{path}: a prompt cannot be of type {type(value).__name__}"
        raise RequestError(msg, "Give a string, a Part, a Content, or a list of them.")
    if "parts" in fields:
        msg = f"{path} is a Content, and a part is due"
        raise RequestError(msg, "Take it out of the inner list, or write only its parts there.")
    if (named := _file_data(fields)) is not None:
        fields = {"fileData": named}
    if strange := [name for name in fields if name not in PART_FIELDS]:
        raise unknown(as_written(value, strange[0]), "Part", path, backend, fields)
    spelled = message(fields, "Part", path, backend)
    if len(data := [name for name in spelled if name in _DATA]) != 1 and (data or not spelled):
        msg = f"{path} has {' and '.join(data)}" if data else f"{path} is empty"
        raise RequestError(msg, "A part has one of text, inlineData, fileData, functionCall and the like.")
    return spelled


def _role(one: dict[str, Any]) -> str:
    return "model" if "functionCall" in one else "user"


def _turn(several: list[dict[str, Any]], *, role: str) -> dict[str, Any]:
    if not several:
        msg = "a prompt without parts"
        raise RequestError(msg, "Give at least one part.")
    return {"parts": several, "role": role}


def _file_data(fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return FileData for a bare FileData or for an uploaded File (recognized by ``uri`` and ``mimeType``)."""
    if "fileUri" in fields and fields.keys() <= _FILE_DATA_FIELDS:
        return fields
    if "uri" in fields and fields.keys().isdisjoint(PART_FIELDS - {"videoMetadata"}):
        if "mimeType" not in fields:
            msg = "a file without mime_type"
            raise RequestError(msg, "Give the File as the upload returned it.")
        return {"fileUri": fields["uri"], "mimeType": fields["mimeType"]}
    return None


def _is_picture(value: Any) -> bool:
    return "image" in type(value).__name__.lower() and callable(getattr(value, "save", None))


def _picture(image: Any) -> dict[str, Any]:
    """Encode a Pillow image: a JPEG read from a file keeps its quality, everything else becomes PNG."""
    keep = image.format == "JPEG" and bool(getattr(image, "filename", ""))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG" if keep else "PNG", **({"quality": "keep"} if keep else {}))
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"data": data, "mimeType": "image/jpeg" if keep else "image/png"}
