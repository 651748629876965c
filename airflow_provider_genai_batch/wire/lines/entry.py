"""The envelope of a request: one line of a file, or one entry of a create call.

Source: Google's batch guides; captures of the live services.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.wire.keys import spell_key
from airflow_provider_genai_batch.wire.lines.request import WireRequest
from airflow_provider_genai_batch.wire.partners.request import custom_id, partner_line
from airflow_provider_genai_batch.wire.prompts.embed import takes_text_only


def file_line(key: str, wire_request: WireRequest, backend: Backend, task: Task, model: str) -> bytes:
    """Return one line of JSONL with its newline.

    The line is ``{"key": …, "request": {…}}`` on both services: Vertex AI has no field for keys, but returns the
    fields beside ``request``. Lines for its text-embedding models are ``{"content": "…"}``, without a key: their rows
    are matched by text.

    Raises:
        RequestError: the request has metadata, which a line cannot hold.
    """
    if wire_request.metadata:
        check_metadata(wire_request)
    if task is Task.EMBED and takes_text_only(model, backend):
        return to_json(wire_request.request) + b"\n"
    return to_json(file_row(key, wire_request, backend)) + b"\n"


def file_row(key: str, wire_request: WireRequest, backend: Backend) -> dict[str, Any]:
    """Return a line with a key as an object."""
    if wire_request.family is not Family.GOOGLE:
        return partner_line(key, wire_request.request, wire_request.beside, wire_request.family)
    spelled = spelled_key(key, backend, wire_request.family)
    if wire_request.beside:
        return {"key": spelled, **wire_request.beside, "request": wire_request.request}
    return {"key": spelled, "request": wire_request.request}


def spelled_key(key: str, backend: Backend, family: Family) -> str:
    """Return a key as it is written in a line.

    Raises:
        RequestError: the family does not accept such a key.
    """
    if family is not Family.GOOGLE:
        return custom_id(key, family)
    return spell_key(key) if backend is Backend.VERTEX else key


def check_metadata(wire_request: WireRequest) -> None:
    """Refuse metadata in a file.

    Raises:
        RequestError: there is some.
    """
    if wire_request.metadata:
        msg = f"metadata ({', '.join(wire_request.metadata)}) cannot be written to a file"
        raise RequestError(msg, "Only requests sent inline to Gemini carry metadata: encode it in the key.")


def inline_entry(key: str, wire_request: WireRequest) -> dict[str, Any]:
    """Return one entry of a Gemini create call; ``metadata`` comes back with the row."""
    return {"request": wire_request.request, "metadata": {**(wire_request.metadata or {}), "key": key}}


def entry_line(entry: Mapping[str, Any]) -> bytes:
    """Return the JSONL line of an `inline_entry`'s request, without its other metadata."""
    return to_json({"key": entry_key(entry), "request": entry["request"]}) + b"\n"


def entry_key(entry: Mapping[str, Any]) -> str:
    """Return the key of an `inline_entry`."""
    key: str = entry["metadata"]["key"]
    return key
