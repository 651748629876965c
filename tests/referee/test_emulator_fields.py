"""The emulator's table of fields, beside the types of Google's SDK: neither knows a field that the other does not.

The SDK has one set of types for both services, so it is laid beside the fields of both.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator.model.refused.messages import fields_of
from tests.referee.environments import referee_python

Table = dict[str, dict[str, str]]

PLACES = {
    "Content": "Content",
    "Tool": "Tool",
    "GenerationConfig": "GenerationConfig",
    "EmbedContentConfig": "EmbedContentConfig",
    "ModelSelectionConfig": "ModelConfig",
}
"""Where types of the SDK are to be found among the messages; those below them are found by their fields."""

SDKS_OWN = {
    ("GenerateContentConfig", name)
    for name in (
        "httpOptions",
        "shouldReturnHttpResponse",
        "automaticFunctionCalling",
        "automaticContinuation",
    )
} | {("EmbedContentConfig", "httpOptions")}
"""What the SDK does itself and never sends."""

RENAMED = {
    ("GenerateContentConfig", "modelSelectionConfig"): "modelConfig",
    ("GenerationConfig", "modelSelectionConfig"): "modelConfig",
    ("GenerateContentConfig", "generationOutputConfig"): "outputConfig",
}
"""What the SDK sends under another name."""

ELSEWHERE = {
    ("ImageConfig", "outputMimeType"): "imageOutputOptions.mimeType",
    ("ImageConfig", "outputCompressionQuality"): "imageOutputOptions.compressionQuality",
}
"""What the SDK sends in another place."""

NOT_IN_THE_SDK = {
    ("GenerationConfig", "_responseJsonSchema"): "the discovery document's second name of responseJsonSchema",
    ("GenerationConfig", "imageConfig"): "in the SDK's GenerateContentConfig alone",
}

KINDS = {
    "string": {"str"},
    "bool": {"bool"},
    "int32": {"int"},
    "int64": {"int"},
    "float": {"float"},
    "double": {"float"},
    "bytes": {"bytes"},
    "enum": {"enum", "str"},
    "Type": {"enum"},
    "duration": {"str"},
    "timestamp": {"time"},
    "struct": {"struct"},
    "any": {"any"},
}


@cache
def types_of(major: int) -> Table:
    """Return the types of an SDK."""
    script = Path(__file__).with_name("dump_types.py")
    done = subprocess.run([referee_python(major), script], check=True, capture_output=True, text=True)
    dumped = json.loads(done.stdout)
    assert dumped["version"].startswith(f"{major}.")
    types: Table = dumped["types"]
    return types


def both() -> Table:
    """Return the fields that either service takes."""
    gemini, vertex = fields_of("gemini"), fields_of("vertex")
    return {name: {**gemini.get(name, {}), **vertex.get(name, {})} for name in {**gemini, **vertex}}


@pytest.mark.parametrize("major", [3, 2])
def test_the_emulator_knows_every_field_of_the_sdk_and_its_kind(major: int) -> None:
    assert list(differences(types_of(major), both())) == []


@pytest.mark.parametrize(
    ("name", "field", "said"),
    [
        ("Part", "text", "Part.text is missing"),
        ("RagResource", "ragCorpus", "RagResource.ragCorpus is missing"),
        ("GenerateContentRequest", "cachedContent", "cachedContent is in neither the request nor its config"),
    ],
)
def test_a_field_that_is_left_out_is_noticed(name: str, field: str, said: str) -> None:
    ours = both()
    del ours[name][field]
    assert said in differences(types_of(3), ours)


def test_a_field_of_another_kind_is_noticed() -> None:
    ours = both()
    ours["GenerationConfig"]["topK"] = "bool"
    assert list(differences(types_of(3), ours)) == ["GenerationConfig.topK is bool where the SDK has float"]


def test_the_emulator_knows_no_field_that_the_newest_sdk_does_not() -> None:
    theirs, ours = types_of(3), both()
    pairs = paired(theirs, ours)
    assert len(pairs) > 60
    known: dict[str, set[str]] = {}
    for place, name in pairs:
        known.setdefault(name, set()).update(RENAMED.get((place, field), field) for field in theirs[place])
    config = {RENAMED.get(("GenerateContentConfig", name), name) for name in theirs["GenerateContentConfig"]}
    known["GenerationConfig"] |= config
    missing = {(name, field) for name, fields in known.items() for field in ours[name] if field not in fields}
    assert missing - set(NOT_IN_THE_SDK) == set()


def test_a_field_of_one_service_alone_is_unknown_to_the_other() -> None:
    gemini, vertex = fields_of("gemini"), fields_of("vertex")
    assert "additionalProperties" in vertex["Schema"]
    assert "additionalProperties" not in gemini["Schema"]
    assert "fileSearch" in gemini["Tool"]
    assert "fileSearch" not in vertex["Tool"]


def differences(theirs: Table, ours: Table) -> Iterator[str]:
    """Yield what the SDK has and the emulator has not, or has of another kind."""
    for name, place in paired(theirs, ours):
        for field, kind in theirs[name].items():
            own = RENAMED.get((name, field), field)
            if (name, field) in SDKS_OWN or (name, field) in ELSEWHERE:
                continue
            if own not in ours[place]:
                yield f"{place}.{own} is missing"
            elif not alike(kind, ours[place][own]):
                yield f"{place}.{own} is {ours[place][own]} where the SDK has {kind}"
    for field in theirs["GenerateContentConfig"]:
        own = RENAMED.get(("GenerateContentConfig", field), field)
        if ("GenerateContentConfig", field) not in SDKS_OWN and not (
            own in ours["GenerateContentRequest"] or own in ours["GenerationConfig"]
        ):
            yield f"{own} is in neither the request nor its config"


def paired(theirs: Table, ours: Table) -> list[tuple[str, str]]:
    """Return types of the SDK and the messages that they are."""
    waiting = list(PLACES.items())
    waiting += [
        (message_of(kind), message_of({**ours["GenerateContentRequest"], **ours["GenerationConfig"]}[field]))
        for field, kind in theirs["GenerateContentConfig"].items()
        if field in {**ours["GenerateContentRequest"], **ours["GenerationConfig"]}
    ]
    found: dict[tuple[str, str], None] = {}
    while waiting:
        pair = waiting.pop()
        if pair in found or pair[0] not in theirs or pair[1] not in ours:
            continue
        found[pair] = None
        for field, kind in theirs[pair[0]].items():
            own = ours[pair[1]].get(RENAMED.get((pair[0], field), field), "")
            waiting.append((message_of(kind), message_of(own)))
    return list(found)


def message_of(kind: str) -> str:
    """Return the message in a kind."""
    return next(
        (one.strip("[]{}") for one in kind.split("|") if one.strip("[]{}")[:1].isupper()), kind.strip("[]{}")
    )


def alike(theirs: str, own: str) -> bool:
    """Whether a kind of the SDK is one of the emulator."""
    if own[:1] in "[{" and theirs[:1] == own[:1]:
        return alike(theirs[1:-1], own[1:-1])
    options: set[Any] = set(theirs.split("|"))
    if own in KINDS:
        return bool(options & KINDS[own])
    # Where a message is due the SDK takes more than the message, and has a type for it.
    return any(one[:1].isupper() for one in options)
