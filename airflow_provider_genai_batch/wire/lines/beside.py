"""Fields beside ``request`` in a line: the key, and on Vertex AI any data that the user wants returned with the row.

Source: Google's batch guides; captures of the live services, which return single values and objects, and turn any list
into an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.keys import check_key, read_key
from airflow_provider_genai_batch.wire.spelling import camel, free

FOREIGN = {
    "customId": 'It is called key here: {"key": …, "request": …}.',
    "body": 'It is called request here, in Google\'s shape: {"key": …, "request": {"contents": …}}.',
    "params": 'It is called request here, in Google\'s shape: {"key": …, "request": {"contents": …}}.',
    "method": 'Leave it out: a line is {"key": …, "request": …}.',
    "url": 'Leave it out: a line is {"key": …, "request": …}.',
    "messages": 'They are called contents here: {"contents": [{"role": "user", "parts": [{"text": …}]}]}.',
    "prompt": 'It is called contents here: {"contents": "…"}.',
}
"""Names from other services' batch formats, with the name to use here."""
OUTPUT = frozenset({"response", "status", "error", "processedTime", "instance", "prediction", "predictions"})
"""Fields that Vertex AI writes beside a request; a job whose input has them runs only the unanswered requests."""
_OF_ANSWERS = frozenset(
    (
        *("candidates", "promptFeedback", "usageMetadata", "modelVersion", "embedding", "tokenCount"),
        *("content", "choices", "data", "statusCode"),
    )
)
"""Fields of answers, one of which each response has: of Google's models, Claude and open models."""
_INSIDE = {
    **dict.fromkeys(
        (
            *("contents", "generationConfig", "systemInstruction", "tools", "toolConfig", "safetySettings"),
            "cachedContent",
        ),
        "Put it into request.",
    ),
    "config": "It belongs into request, in REST's spelling.",
}
"""Fields of a request, with the remedy; beside the request, they would at most be returned, and have no effect."""


def read_beside(
    fields: Mapping[str, Any], written: Mapping[str, Any], backend: Backend
) -> tuple[str | None, dict[str, str] | None, dict[str, Any]]:
    """Read the fields beside a request.

    Args:
        fields: by their lowerCamel names, including ``request`` or ``contents``.
        written: the remaining fields (not the key, the metadata or the request's), as the user spelled them.
        backend: where the request goes.

    Returns:
        The key (None: there is none), metadata for an inline Gemini request, and the fields that Vertex AI returns.

    Raises:
        RequestError: a field is not allowed there.
    """
    metadata = fields.get("metadata")
    if backend is Backend.VERTEX:
        inner = metadata.get("key") if isinstance(metadata, Mapping) else None
        rest = metadata
        if isinstance(inner, str) and isinstance(metadata, Mapping):
            rest = {name: value for name, value in metadata.items() if name != "key"} or None
        beside = {**written, **({} if rest is None else {"metadata": rest})}
        key, output = fields.get("key"), is_output(written)
        if output and type(key) in (int, float):
            key = str(key)  # the importer has read it as a number
        key = _one_key(key, inner)
        if key is not None and output:
            key = read_key(key)  # a key from an output may have a mark
        return key, None, _echoed(beside)
    if written:
        raise unknown_name(next(iter(sorted(written))))
    if metadata is None:
        return _one_key(fields.get("key"), None), None, {}
    if not isinstance(metadata, Mapping) or not all(
        isinstance(text, str) for pair in metadata.items() for text in pair
    ):
        msg = "metadata is not a dict of strings"
        raise RequestError(msg, "Write numbers as strings; put structure into one JSON string.")
    others = {name: text for name, text in metadata.items() if name != "key"}
    return _one_key(fields.get("key"), metadata.get("key")), others or None, {}


def is_output(row: Mapping[str, Any]) -> bool:
    """Whether it is a row from a Vertex AI job's output: the user's own data may have the same names."""
    if "status" in row and ("processed_time" in row or "processedTime" in row):
        return True
    response = row.get("response")
    return isinstance(response, Mapping) and (
        not response or not _OF_ANSWERS.isdisjoint(map(camel, response))
    )


def unknown_name(name: str) -> RequestError:
    """Return the error for a name that is not allowed beside ``request``; it gives the name to use here."""
    known = {**_INSIDE, **FOREIGN}
    remedy = known.get(camel(name), "Only key, request and (inline on Gemini) metadata stand here.")
    return RequestError(f"unknown field {name!r} beside request", remedy)


def _one_key(*given: Any) -> str | None:
    keys = [key for key in given if key is not None]
    for key in keys:
        check_key(key)
    if len(set(keys)) > 1:
        msg = f"key is {keys[0]!r} but metadata says {keys[1]!r}"
        raise RequestError(msg, "Keep one.")
    return keys[0] if keys else None


def _echoed(written: Mapping[str, Any]) -> dict[str, Any]:
    output = is_output(written)
    beside: dict[str, Any] = {}
    for name, value in written.items():
        spelled = camel(name)
        if spelled == "config" or (spelled in _INSIDE and value is not None):
            raise unknown_name(name)
        if spelled in OUTPUT:
            if not output:
                msg = f"the field {name!r} is one of Vertex AI's output"
                raise RequestError(
                    msg, "Rename it; to go on with an unfinished job, give its output as gs:// source."
                )
            beside[name] = value
            continue
        beside[name] = free(value, name)
        check_no_list(name, beside[name], empty=not output)
    return beside


def check_no_list(name: str, value: Any, *, empty: bool = True) -> None:
    """Refuse a list in a field beside a request, which would come back without its items.

    Args:
        name: the field's name.
        value: its value.
        empty: whether an empty list is refused, too.

    Raises:
        RequestError: there is one.
    """
    if _has_list(value, empty=empty):
        msg = f"the field {name!r} beside request is not a single value: it is a list or has one"
        raise RequestError(msg, "Vertex AI gives lists back empty: write it as a JSON string.")


def _has_list(value: Any, *, empty: bool) -> bool:
    """Whether there is a list in it; `empty` ones count only in what the service has not written itself."""
    if isinstance(value, dict):
        return any(_has_list(one, empty=empty) for one in value.values())
    return isinstance(value, list) and (empty or bool(value))
