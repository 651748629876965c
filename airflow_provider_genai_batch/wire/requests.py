"""One request: from any spelling users write to the body of one line.

Source: Google's GenerateContentRequest reference; captures of what Google's google-genai SDK sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.config import merged, request_fields
from airflow_provider_genai_batch.wire.content import contents, is_prompt
from airflow_provider_genai_batch.wire.embed import embed_config, embed_request
from airflow_provider_genai_batch.wire.keys import check_key
from airflow_provider_genai_batch.wire.spelling import as_written, camel, fields_of

FOREIGN = {
    "customId": 'It is called key here: {"key": …, "request": …}.',
    "body": 'It is called request here, in Google\'s shape: {"key": …, "request": {"contents": …}}.',
    "params": 'It is called request here, in Google\'s shape: {"key": …, "request": {"contents": …}}.',
    "method": 'Leave it out: a line is {"key": …, "request": …}.',
    "url": 'Leave it out: a line is {"key": …, "request": …}.',
    "messages": 'They are called contents here: {"contents": [{"role": "user", "parts": [{"text": …}]}]}.',
    "prompt": 'It is called contents here: {"contents": "…"}.',
}
"""Names of other services' batch formats, with the word for it here."""


_PROMPTS = frozenset({"contents", "content"})


class WireRequest(NamedTuple):
    """One request as it goes out; `wire.lines` writes it."""

    key: str | None
    """None: none was given, one is to be stamped."""
    request: dict[str, Any]
    metadata: dict[str, str] | None = None
    """Beside the key, echoed with the row; Gemini inline only."""


def rest_request(item: Any, *, backend: Backend, task: Task, model: str, defaults: Any = None) -> WireRequest:
    """Spell one request as REST, names in lowerCamel.

    Args:
        item: a prompt (string, part, Content, list of them); `BatchRequest`; SDK spelling
            (``contents, config, metadata, key``); REST spelling (``key, request``) or a bare request; dicts,
            or objects of ``google.genai.types``, mixed as one likes.
        backend: where it goes.
        task: generate or embed.
        model: the job's model.
        defaults: SDK config or REST fields for every request; a request's own value wins.

    Raises:
        RequestError: it cannot be sent, with the field's name and the remedy.
    """
    given = _opened(item, task, model)
    if task is Task.EMBED:
        config = {**embed_config(defaults, backend), **embed_config(given.config, backend)}
        request = embed_request(given.prompt, config, backend=backend, model=model)
    else:
        own = request_fields(given.config, backend, flat=given.flat)
        fields = merged(request_fields(defaults, backend), own) if defaults is not None else own
        request = {"contents": contents(given.prompt, backend), **fields}
    return WireRequest(given.key, request, given.metadata)


class _Opened(NamedTuple):
    """A request taken apart, each piece still as the user spelled it."""

    prompt: Any
    config: Any = None
    flat: bool = True
    key: str | None = None
    metadata: dict[str, str] | None = None


def _opened(item: Any, task: Task, model: str) -> _Opened:
    fields = None if isinstance(item, (str, list, tuple)) else fields_of(item)
    if fields and "request" in fields:
        return _from_envelope(item, fields, task, model)
    if fields and not _PROMPTS.isdisjoint(fields):
        return _from_parameters(fields, task, model)
    if is_prompt(item):
        return _Opened(item)
    raise _not_a_request(item, fields)


def _from_envelope(item: Any, fields: dict[str, Any], task: Task, model: str) -> _Opened:
    """Open ``{"key": …, "request": {…}, "metadata": {…}}``."""
    if unknown := sorted(fields.keys() - {"key", "request", "metadata"}):
        raise unknown_name(as_written(item, unknown[0]))
    inside = fields_of(fields["request"])
    if inside is None:
        msg = f"request is of type {type(fields['request']).__name__}"
        raise RequestError(msg, "Give a GenerateContentRequest as dict or object.")
    if "config" in inside:
        msg = "config inside request is the SDK's spelling"
        raise RequestError(
            msg, "Write generationConfig, systemInstruction, tools, …, or put config beside contents."
        )
    key, metadata = _key_and_metadata(fields)
    prompt, rest = _prompt_and_rest(inside, task, model)
    return _Opened(prompt, rest, flat=False, key=key, metadata=metadata)


def _from_parameters(fields: dict[str, Any], task: Task, model: str) -> _Opened:
    """Open ``{"contents": …, "config": …, "metadata": …, "key": …}`` or a bare GenerateContentRequest."""
    key, metadata = _key_and_metadata(fields)
    config = fields.pop("config", None)
    prompt, rest = _prompt_and_rest(
        {name: value for name, value in fields.items() if name not in ("key", "metadata")}, task, model
    )
    if config is not None and rest:
        msg = f"{next(iter(rest))} stands beside config"
        raise RequestError(msg, "Put everything into config, or leave config out and write REST fields.")
    return _Opened(
        prompt, config if config is not None else rest, flat=config is not None, key=key, metadata=metadata
    )


def _prompt_and_rest(fields: dict[str, Any], task: Task, model: str) -> tuple[Any, dict[str, Any]]:
    rest = dict(fields)
    _check_model(rest.pop("model", None), model)
    given = [
        rest.pop(name)
        for name in ("contents", "content")
        if name in rest and (task is Task.EMBED or name == "contents")
    ]
    if len(given) != 1:
        name = "content" if task is Task.EMBED else "contents"
        msg = f"the request has no {name}" if not given else "the request has content and contents"
        raise RequestError(msg, f"Give {name} once.")
    return given[0], rest


def _key_and_metadata(fields: dict[str, Any]) -> tuple[str | None, dict[str, str] | None]:
    """Read the key; the SDK has no place for it but ``metadata["key"]``."""
    metadata = fields.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, Mapping) or not all(
        isinstance(text, str) for pair in metadata.items() for text in pair
    ):
        msg = "metadata is not a dict of strings"
        raise RequestError(msg, "Write numbers as strings; put structure into one JSON string.")
    rest = {name: text for name, text in metadata.items() if name != "key"}
    keys = [key for key in (fields.get("key"), metadata.get("key")) if key is not None]
    if len(keys) == 2 and keys[0] != keys[1]:
        msg = f"key is {keys[0]!r} but metadata says {keys[1]!r}"
        raise RequestError(msg, "Keep one.")
    for key in keys:
        check_key(key)
    return (keys[0] if keys else None), rest or None


def _check_model(own: Any, model: str) -> None:
    """Refuse a request for another model: a job has one, and what the service would do is not documented."""
    if own is not None and str(own).rpartition("/")[2] != model.rpartition("/")[2]:
        msg = f"the request is for model {own}, the job for {model}"
        raise RequestError(msg, "Make one job for each model.")


def unknown_name(name: str) -> RequestError:
    """Return the refusal of a name that has no place beside ``request``, with the word for it here."""
    remedy = FOREIGN.get(camel(name), "Only key, request and (inline on Gemini) metadata stand here.")
    return RequestError(f"unknown field {name!r} beside request", remedy)


def _not_a_request(item: Any, fields: dict[str, Any] | None) -> RequestError:
    if fields is None:
        return RequestError(
            f"a request cannot be of type {type(item).__name__}", "Give a string, a dict or a BatchRequest."
        )
    for name in fields:
        if name in FOREIGN:
            return RequestError(f"unknown field {as_written(item, name)!r} and no contents", FOREIGN[name])
    shown = ", ".join(sorted(fields)) or "nothing"
    return RequestError(
        f"neither contents nor request: there is {shown}", 'Give {"contents": …} or {"request": {…}}.'
    )
