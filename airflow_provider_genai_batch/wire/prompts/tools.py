"""``tools``: what a model may use while it answers. In a batch, functions are declared but never run.

Source: Google's Tool reference; how Google's google-genai SDK merges declarations.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.advice import advice
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES
from airflow_provider_genai_batch.wire.prompts.typed import message
from airflow_provider_genai_batch.wire.schemas.schema import response_schema
from airflow_provider_genai_batch.wire.spelling import as_written, fields_of

_SCHEMAS = ("parameters", "response")
"""Fields of a function that are response schemas."""


def tools(value: Any, backend: Backend) -> list[dict[str, Any]]:
    """Convert ``tools``; all function declarations are combined in one tool, which comes last.

    Raises:
        RequestError: a Python function or MCP session (nothing in a batch could call it), an unknown tool, or
            one that the backend does not have.
    """
    given = value if isinstance(value, (list, tuple)) else [value]
    declarations: list[Any] = []
    spelled: list[dict[str, Any]] = []
    for index, item in enumerate(given):
        tool = _tool(item, backend, f"tools[{index}]")
        declarations += tool.pop("functionDeclarations", ())
        if tool:
            spelled.append(tool)
    return [*spelled, {"functionDeclarations": declarations}] if declarations else spelled


def _tool(item: Any, backend: Backend, path: str) -> dict[str, Any]:
    fields = fields_of(item)
    if fields is None:
        kind = (
            "the Python function " + getattr(item, "__name__", "")
            if callable(item)
            else f"a {type(item).__name__}"
        )
        msg = f"tools holds {kind.rstrip()}, which nothing in a batch can call"
        raise RequestError(msg, "Declare it as function_declarations and act on the functionCall in the row.")
    if strange := [name for name in fields if name not in MESSAGES["Tool"]]:
        msg = f"unknown tool {as_written(item, strange[0])!r}"
        raise RequestError(msg, advice(strange[0], ("Tool",), backend, fields))
    declared = fields.pop("functionDeclarations", None)
    spelled = message(fields, "Tool", path, backend)
    if declared is not None:
        several = declared if isinstance(declared, (list, tuple)) else [declared]
        inside = f"{path}.functionDeclarations"
        spelled["functionDeclarations"] = [
            _declaration(one, f"{inside}[{index}]", backend) for index, one in enumerate(several)
        ]
    return spelled


def _declaration(item: Any, path: str, backend: Backend) -> dict[str, Any]:
    """Convert a function; its parameters and its response are written as response schemas."""
    fields = fields_of(item)
    if fields is None:
        return message(item, "FunctionDeclaration", path, backend)
    schemas = {name: fields.pop(name) for name in _SCHEMAS if name in fields}
    spelled = message(fields, "FunctionDeclaration", path, backend)
    for name, schema in schemas.items():
        try:
            spelled[name] = response_schema(schema, backend, holder=name)
        except RequestError as error:
            msg = f"{error.reason}, in {path}"
            raise RequestError(msg, error.remedy) from error
    return spelled
