"""Requests with known fields that the services refuse for their content, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, field
from airflow_provider_genai_batch.emulator.model.errors import RowError
from airflow_provider_genai_batch.emulator.model.refused.abilities import check_abilities
from airflow_provider_genai_batch.emulator.model.refused.fields import check
from airflow_provider_genai_batch.emulator.model.refused.wording import text, violations
from airflow_provider_genai_batch.emulator.model.schemas.rules import schema_problems

_ROLES = frozenset({None, "", "user", "model", "function", "tool"})
_FILES_API = ("https://generativelanguage.googleapis.com/", "files/")
_PACKAGE = "google.cloud.aiplatform.v1"


def check_fields(request: JsonObject, message: str) -> None:
    """Refuse a row of Vertex AI whose request has unknown fields or values of wrong types.

    The Gemini API checks every row when a batch is created; Vertex AI only when it processes the row.

    Raises:
        RowError: With code 3.
    """
    found = violations(check("vertex", message, request), "", _PACKAGE)
    if found:
        detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": found}
        raise RowError(3, text(found), [detail])


def check_generate(request: JsonObject, backend: str, model: str) -> None:
    """Refuse a GenerateContentRequest that the live service would refuse.

    Args:
        request: A request with known fields only.
        backend: ``gemini`` or ``vertex``.
        model: The resource name of the model.

    Raises:
        RowError: With code 3.
    """
    contents = request.get("contents")
    if not contents:
        raise RowError(3, "* GenerateContentRequest.contents: contents is not specified")
    for content in _as_list(contents):
        if not content.get("parts"):
            raise RowError(3, "* GenerateContentRequest.contents.parts: contents.parts must not be empty.")
        if content.get("role") not in _ROLES:
            raise RowError(3, "Please use a valid role: user, model.")
        for part in _as_list(content["parts"]):
            _check_address(field(part, "fileData"), backend)
    if backend == "vertex" and field(request, "cachedContent"):
        # Google's page on batch inference: explicit context caching is not supported.
        raise RowError(3, "Cached content is not supported in batch prediction.")
    problem = next(_schema_problems(request, backend), None)
    if problem:
        raise RowError(3, f"* GenerateContentRequest.{problem}\n")
    check_abilities(request, model, backend)


def check_embed(request: JsonObject) -> None:
    """Refuse an EmbedContentRequest that the live service would refuse.

    Raises:
        RowError: With code 3.
    """
    if not isinstance(request.get("content"), dict):
        raise RowError(3, "* EmbedContentRequest.content: contents is not specified")


def _check_address(file: JsonObject | None, backend: str) -> None:
    uri = field(file, "fileUri") if file else None
    if not uri:
        return
    if backend == "gemini" and uri.startswith("gs://"):
        message = f"Unsupported file uri: {uri}"
        raise RowError(3, message)
    if backend == "vertex" and uri.startswith(_FILES_API):
        message = f"Invalid file uri: {uri}. Only Cloud Storage and public addresses are supported."
        raise RowError(3, message)


def _schema_problems(request: JsonObject, backend: str) -> Iterator[str]:
    config = field(request, "generationConfig")
    if config:
        yield from schema_problems(
            field(config, "responseSchema"), "generation_config.response_schema", backend
        )
    for at, tool in enumerate(_as_list(request.get("tools") or [])):
        for place, one in enumerate(_as_list(field(tool, "functionDeclarations") or [])):
            where = f"tools[{at}].function_declarations[{place}]"
            if not one.get("name"):
                yield f"{where}.name: [FIELD_INVALID] Invalid function name."
            yield from schema_problems(one.get("parameters"), f"{where}.parameters", backend)
            yield from schema_problems(one.get("response"), f"{where}.response", backend)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
