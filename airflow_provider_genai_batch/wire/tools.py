"""``tools``: what a model may use while it answers; functions are declared, never run, in a batch.

Source: Google's Tool reference; how Google's google-genai SDK merges declarations.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.spelling import as_written, fields_of, plain

TOOL_FIELDS = frozenset(
    {
        "codeExecution",
        "computerUse",
        "enterpriseWebSearch",
        "exaAiSearch",
        "fileSearch",
        "functionDeclarations",
        "googleMaps",
        "googleSearch",
        "googleSearchRetrieval",
        "mcpServers",
        "parallelAiSearch",
        "retrieval",
        "urlContext",
    }
)


def tools(value: Any, backend: Backend) -> list[dict[str, Any]]:
    """Spell ``tools``: all function declarations in one tool, which comes last.

    Raises:
        RequestError: a Python function or MCP session (nothing in a batch could call it), an unknown tool, or
            one that the backend does not have.
    """
    given = value if isinstance(value, (list, tuple)) else [value]
    declarations: list[Any] = []
    spelled: list[dict[str, Any]] = []
    for item in given:
        tool = _tool(item, backend)
        declarations += tool.pop("functionDeclarations", ())
        if tool:
            spelled.append(tool)
    return [*spelled, {"functionDeclarations": declarations}] if declarations else spelled


def _tool(item: Any, backend: Backend) -> dict[str, Any]:
    fields = fields_of(item)
    if fields is None:
        kind = (
            "the Python function " + getattr(item, "__name__", "")
            if callable(item)
            else f"a {type(item).__name__}"
        )
        msg = f"tools holds {kind.rstrip()}, which nothing in a batch can call"
        raise RequestError(msg, "Declare it as function_declarations and act on the functionCall in the row.")
    if unknown := sorted(fields.keys() - TOOL_FIELDS):
        msg = f"unknown tool {as_written(item, unknown[0])!r}"
        raise RequestError(msg, "Spell it as the API's Tool does.")
    spelled: dict[str, Any] = plain(fields, "tools", backend)
    return spelled
