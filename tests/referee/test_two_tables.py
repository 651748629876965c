"""Two tables of fields, the product's and the emulator's, from different sources: here they lie side by side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_genai_batch.emulator.model.refused.messages import fields_of
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.backend_fields import accepted_fields
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES

Table = dict[str, dict[str, str]]

ROOTS = ("GenerateContentRequest", "EmbedContentRequest")
"""Messages below them are found by their fields: their names differ here and there."""

KINDS = {
    "string": {"string"},
    "bytes": {"bytes"},
    "int": {"int32", "int64"},
    "float": {"float", "double"},
    "bool": {"bool"},
    "time": {"timestamp"},
    "enum": {"enum", "Type"},
    "any": {"any"},
}
"""Kinds of the product, and those of the emulator that are the same."""

SAME = {("string", "enum"), ("string", "duration"), ("{any}", "struct")}
"""Where the product takes more than the emulator tells apart: names of enums, and lengths of time, are text."""

_IN_CONFIG = "the SDK's name beside the content; the service has it in embedContentConfig"
_BY_SCHEMA_RULES = "the product looks at schemas by rules of their own, and rewrites or refuses it"
_BELOW = "the SDK's name; the product moves it below imageOutputOptions"
_NOT_IN_A_BATCH = "the product refuses what a batch of this service leaves out; the emulator fails the row"

OF_ONE_TABLE = {
    Backend.GEMINI: {
        "GenerationConfig._responseJsonSchema": "a second name that the product never sends",
        "Schema.additionalProperties": _BY_SCHEMA_RULES,
        "Schema.defs": _BY_SCHEMA_RULES,
        "Schema.ref": _BY_SCHEMA_RULES,
    },
    Backend.VERTEX: {
        "EmbedContentRequest.mimeType": _IN_CONFIG,
        "ImageConfig.outputMimeType": _BELOW,
        "ImageConfig.outputCompressionQuality": _BELOW,
        "GenerateContentRequest.cachedContent": _NOT_IN_A_BATCH,
        "Retrieval.vertexRagStore": _NOT_IN_A_BATCH,
        "Tool.mcpServers": "every field of a server is of the other service",
        "AuthConfig.apiKey": "the SDK sends it; the discovery document has no such field",
    },
}
"""What one of the tables has alone, and why."""


@pytest.mark.parametrize("backend", Backend)
def test_the_product_and_the_emulator_know_the_same_fields_and_kinds(backend: Backend) -> None:
    assert set(differences(accepted_fields(backend), fields_of(backend.value))) == set(OF_ONE_TABLE[backend])


@pytest.mark.parametrize(
    ("message", "field", "kind", "said"),
    [
        ("Part", "text", None, "Part.text"),
        ("RankService", "modelName", None, "RagRetrievalConfigRankingRankService.modelName"),
        ("SafetySetting", "method", "int32", "SafetySetting.method is enum, and int32"),
        ("Content", "parts", "Part", "Content.parts is [Part], and Part"),
        ("LatLng", "altitude", "double", "LatLng.altitude"),
    ],
)
def test_a_difference_is_noticed_wherever_it_is(
    message: str, field: str, kind: str | None, said: str
) -> None:
    table = fields_of("vertex")
    if kind is None:
        del table[message][field]
    else:
        table[message][field] = kind
    found = set(differences(MESSAGES, table)) - set(differences(MESSAGES, fields_of("vertex")))
    assert found == {said}


def differences(ours: Table, theirs: Table) -> Iterator[str]:
    """Yield fields that one side has alone, and those whose kinds differ."""
    waiting = [(root, root) for root in ROOTS]
    seen: set[tuple[str, str]] = set()
    while waiting:
        pair = waiting.pop()
        if pair in seen:
            continue
        seen.add(pair)
        fields, others = ours[pair[0]], theirs[pair[1]]
        for name in {**fields, **others}:
            if name not in fields or name not in others:
                yield f"{pair[0]}.{name}"
            elif not alike(fields[name], others[name], ours, theirs):
                yield f"{pair[0]}.{name} is {fields[name]}, and {others[name]}"
            elif fields[name].strip("[]{}") in ours:
                waiting.append((fields[name].strip("[]{}"), others[name].strip("[]{}")))


def alike(kind: str, other: str, ours: Table, theirs: Table) -> bool:
    """Whether two kinds mean the same; messages are compared by their fields."""
    if (kind, other) in SAME:
        return True
    if kind[:1] in "[{" or other[:1] in "[{":
        return kind[:1] == other[:1] and alike(kind[1:-1], other[1:-1], ours, theirs)
    return other in theirs if kind in ours else other in KINDS[kind]
