"""Rules for a schema in Google's dialect, beyond known fields. Source: public reports of errors of both services."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_genai_batch.emulator.jsontypes import Json, field

NAMES = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
"""The proto enum of types, in the order of its numbers."""


def type_of(schema: dict[str, Json]) -> str:
    """Return the type in upper case; empty if there is none. An enum may be written as its number."""
    kind = schema.get("type")
    if isinstance(kind, int) and 0 <= kind < len(NAMES):
        kind = NAMES[kind]
    return kind.upper() if isinstance(kind, str) and kind.upper() != NAMES[0] else ""


def schema_problems(schema: Json, where: str, backend: str) -> Iterator[str]:
    """Yield the service's errors for a schema, the outermost first.

    Args:
        schema: The schema, or None.
        where: Its path in the request.
        backend: ``gemini`` or ``vertex``; the latter supports objects with arbitrary names.
    """
    if not isinstance(schema, dict):
        return
    kind = type_of(schema)
    if schema.get("enum") and kind != "STRING":
        yield f"{where}.enum: only allowed for STRING type"
    free = backend == "vertex" and bool(field(schema, "additionalProperties"))
    if kind == "OBJECT" and not schema.get("properties") and not free:
        yield f"{where}.properties: should be non-empty for OBJECT type"
    if kind == "ARRAY" and schema.get("items") is None:
        yield f"{where}.items: missing field."
    for name, inner in (schema.get("properties") or {}).items():
        yield from schema_problems(inner, f"{where}.properties[{name}]", backend)
    yield from schema_problems(schema.get("items"), f"{where}.items", backend)
    options = field(schema, "anyOf") or []
    for place, option in enumerate(options if isinstance(options, list) else [options]):
        yield from schema_problems(option, f"{where}.any_of[{place}]", backend)
