"""Prompts: from a string, Parts, Contents and mixtures of them to ``contents``.

Source: how Google's google-genai SDK reads ``contents``; captures of what it sends.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.spelling import as_written, fields_of, plain, text

PART_FIELDS = frozenset(
    {
        "audioMetadata",
        "audioTranscription",
        "codeExecutionResult",
        "documentMetadata",
        "executableCode",
        "fileData",
        "functionCall",
        "functionResponse",
        "inlineData",
        "mediaProcessing",
        "mediaResolution",
        "partMetadata",
        "speechMetadata",
        "spreadsheetMetadata",
        "text",
        "thought",
        "thoughtSignature",
        "toolCall",
        "toolResponse",
        "videoMetadata",
    }
)
CONTENT_FIELDS = frozenset({"parts", "role"})
_FILE_DATA_FIELDS = frozenset({"fileUri", "mimeType", "displayName"})


_OTHERS_ROLES = {
    "assistant": "Google's name for it is model.",
    "system": "Give what the model is told beforehand as system_instruction, in config or in request_defaults.",
}
"""Roles of other services: each request that has one would be refused, when its job has run."""


def contents(value: Any, backend: Backend) -> list[dict[str, Any]]:
    """Spell ``contents``.

    A string, a part or a list of parts is one turn of the user; parts in a row belong together; a list inside
    the list is a turn of its own; function calls are the model's turn.

    Raises:
        RequestError: empty, or nothing that can be sent.
    """
    if not isinstance(value, (list, tuple)):
        return [_said(content(value, backend))]
    if not value:
        msg = "contents is an empty list"
        raise RequestError(msg, "Give at least one prompt.")
    turns: list[dict[str, Any]] = []
    open_role = None  # of the last turn, while loose parts may still join it
    for item in value:
        if isinstance(item, (list, tuple)):
            turns.append(_turn([part(one, backend) for one in item], role="user"))
            open_role = None
        elif is_content(item):
            turns.append(_said(content(item, backend)))
            open_role = None
        else:
            one = part(item, backend)
            role = _role(one)
            if role == open_role:
                turns[-1]["parts"].append(one)
            else:
                turns.append(_turn([one], role=role))
            open_role = role
    return turns


def _said(turn: dict[str, Any]) -> dict[str, Any]:
    """Pass a turn of a conversation on."""
    role = turn.get("role")
    if isinstance(role, str) and role in _OTHERS_ROLES:
        msg = f"unknown role {role!r} in contents"
        raise RequestError(msg, _OTHERS_ROLES[role])
    return turn


def content(value: Any, backend: Backend) -> dict[str, Any]:
    """Spell one Content from a Content, a string, a part, or a list of parts.

    Raises:
        RequestError: empty, or nothing that can be sent.
    """
    if isinstance(value, (list, tuple)):
        return _turn([part(one, backend) for one in value], role="user")
    if not is_content(value):
        one = part(value, backend)
        return _turn([one], role=_role(one))
    fields = fields_of(value) or {}
    if unknown := sorted(fields.keys() - CONTENT_FIELDS):
        msg = f"unknown field {as_written(value, unknown[0])!r} in a Content"
        raise RequestError(msg, "A Content has parts and role.")
    parts = fields.get("parts", [])
    several = list(parts) if isinstance(parts, (list, tuple)) else [parts]
    spelled: dict[str, Any] = {"parts": [part(one, backend) for one in several]} if "parts" in fields else {}
    if "role" in fields:
        spelled["role"] = plain(fields["role"], "role", backend)
    return spelled


def is_content(value: Any) -> bool:
    """Whether it is a Content, in whatever spelling, rather than a part or a string."""
    fields = fields_of(value)
    return fields is not None and not fields.keys().isdisjoint(CONTENT_FIELDS)


def is_prompt(value: Any) -> bool:
    """Whether it is what ``contents`` takes: a string, a list, a Content, a part, a file, a picture."""
    if isinstance(value, (str, list, tuple)) or _is_picture(value):
        return True
    fields = fields_of(value)
    if not fields:
        return False
    return is_content(value) or fields.keys() <= PART_FIELDS or _file_data(fields) is not None


def part(value: Any, backend: Backend) -> dict[str, Any]:
    """Spell one part from a string, a Part, a FileData, an uploaded File or a picture (Pillow).

    Raises:
        RequestError: it is nothing of these, or names a file that the backend cannot read.
    """
    if isinstance(value, str):
        return {"text": text(value, "text")}
    if _is_picture(value):
        return {"inlineData": _picture(value)}
    fields = fields_of(value)
    if fields is None:
        msg = f"a prompt cannot be of type {type(value).__name__}"
        raise RequestError(msg, "Give a string, a Part, a Content, or a list of them.")
    if (named := _file_data(fields)) is not None:
        fields = {"fileData": named}
    if unknown := sorted(fields.keys() - PART_FIELDS):
        msg = f"unknown field {as_written(value, unknown[0])!r} in a part"
        raise RequestError(msg, "Spell it as the API's Part does.")
    spelled: dict[str, Any] = plain(fields, "parts", backend)
    _check_file(spelled.get("fileData"), backend)
    return spelled


def _role(one: dict[str, Any]) -> str:
    return "model" if "functionCall" in one else "user"


def _turn(parts: Iterable[dict[str, Any]], *, role: str) -> dict[str, Any]:
    several = list(parts)
    if not several:
        msg = "a prompt without parts"
        raise RequestError(msg, "Give at least one part.")
    return {"parts": several, "role": role}


def _file_data(fields: dict[str, Any]) -> dict[str, Any] | None:
    """Return FileData for a bare FileData or for an uploaded File (known by ``uri`` and ``mimeType``)."""
    if "fileUri" in fields and fields.keys() <= _FILE_DATA_FIELDS:
        return fields
    if "uri" in fields and fields.keys().isdisjoint(PART_FIELDS - {"videoMetadata"}):
        if "mimeType" not in fields:
            msg = "a file without mime_type"
            raise RequestError(msg, "Give the File as the upload returned it.")
        return {"fileUri": fields["uri"], "mimeType": fields["mimeType"]}
    return None


def _check_file(file_data: Any, backend: Backend) -> None:
    uri = file_data.get("fileUri") if isinstance(file_data, dict) else None
    if not isinstance(uri, str):
        return
    if backend is Backend.GEMINI and uri.startswith("gs://"):
        msg = f"the Gemini Developer API cannot read {uri}"
        raise RequestError(
            msg,
            "Upload the file with the Files API and give its uri, or use a connection with backend vertex.",
        )
    if backend is Backend.VERTEX and (uri.startswith("files/") or "generativelanguage.googleapis.com" in uri):
        msg = f"Vertex AI cannot read {uri}, a file of the Gemini Files API"
        raise RequestError(
            msg,
            "Copy the file to Cloud Storage and give its gs:// address.",
        )


def _is_picture(value: Any) -> bool:
    return "image" in type(value).__name__.lower() and callable(getattr(value, "save", None))


def _picture(image: Any) -> dict[str, Any]:
    """Encode a Pillow image: a JPEG read from a file keeps its quality, everything else becomes PNG."""
    keep = image.format == "JPEG" and bool(getattr(image, "filename", ""))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG" if keep else "PNG", **({"quality": "keep"} if keep else {}))
    data: dict[str, Any] = plain({"data": buffer.getvalue()}, "inlineData", Backend.GEMINI)
    return {**data, "mimeType": "image/jpeg" if keep else "image/png"}
