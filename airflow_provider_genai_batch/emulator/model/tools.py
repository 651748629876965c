"""The parts that tools add to a Gemini answer: calls, code and its result, sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, camel, field
from airflow_provider_genai_batch.emulator.model.reply import signature
from airflow_provider_genai_batch.emulator.model.schemas.schema import fitting
from airflow_provider_genai_batch.emulator.model.text import number_of

_ADDRESS = re.compile(r"https?://[^\s\"'<>]+")
_SEARCHES = {
    "googleSearch": "web",
    "googleSearchRetrieval": "web",
    "enterpriseWebSearch": "web",
    "googleMaps": "maps",
    "retrieval": "retrievedContext",
    "fileSearch": "retrievedContext",
}
_LEAST_TOKENS = 40


def names_of(request: JsonObject) -> set[str]:
    """Return the kinds of tools that a request offers."""
    return {
        camel(name)
        for tool in _listed(request.get("tools"))
        for name, value in tool.items()
        if value is not None
    }


def call(request: JsonObject, prompt: str, model: str, said: Any) -> JsonObject | None:
    """Return the part that calls a function, if one is called.

    If a call is forced, the first allowed function is called; otherwise the prompt must contain its name.

    Args:
        request: The request.
        prompt: The prompt.
        model: The id of the model.
        said: The arguments from a script or a test's function; if it is text, there is no call.
    """
    declared = list(_declared(request))
    calling = field(field(request, "toolConfig") or {}, "functionCallingConfig") or {}
    mode = str(calling.get("mode") or "AUTO").upper()
    allowed = field(calling, "allowedFunctionNames") or []
    offered = [one for one in declared if not allowed or one.get("name") in allowed]
    if mode == "NONE" or not offered or isinstance(said, str):
        return None
    chosen = chosen_of(offered, prompt, forced=mode == "ANY")
    if chosen is None:
        return None
    schema = chosen.get("parameters") or field(chosen, "parametersJsonSchema") or {}
    arguments = said if said is not None else fitting(schema, prompt) if schema else {}
    part: JsonObject = {"functionCall": {"name": chosen["name"], "args": arguments}}
    if model.startswith("gemini-3"):
        part["functionCall"] = {"id": f"call-{number_of(prompt):012x}", **part["functionCall"]}
    return {**part, "thoughtSignature": signature(prompt + chosen["name"])}


def chosen_of(offered: Sequence[JsonObject], prompt: str, *, forced: bool) -> JsonObject | None:
    """Return the function that a model of any family calls: one named in the prompt, or the first if forced.

    Args:
        offered: The functions that it may call, with a ``name``.
        prompt: The prompt.
        forced: Whether it must call one.
    """
    spoken_of = next((one for one in offered if one["name"] in prompt), None)
    return spoken_of or (offered[0] if forced and offered else None)


def code(prompt: str) -> list[JsonObject]:
    """Return the parts for executed code."""
    number = number_of(prompt) % 1000
    return [
        {"executableCode": {"language": "PYTHON", "code": f"print({number} * 2)\n"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": f"{number * 2}\n"}},
    ]


def sources(tools: set[str], prompt: str, text: str) -> JsonObject:
    """Return the members of a candidate about its sources."""
    found: JsonObject = {}
    chunks = [_chunk(_SEARCHES[tool]) for tool in sorted(tools & _SEARCHES.keys())]
    if chunks:
        support = {
            "segment": {"endIndex": len(text.encode()), "text": text},
            "groundingChunkIndices": list(range(len(chunks))),
            "confidenceScores": [0.9] * len(chunks),
        }
        found["groundingMetadata"] = {
            "webSearchQueries": [" ".join(prompt.split())[:80]],
            "searchEntryPoint": {"renderedContent": "<div>Search</div>"},
            "groundingChunks": chunks,
            "groundingSupports": [support],
        }
    if "urlContext" in tools:
        read = [
            {
                "retrievedUrl": address,
                "urlRetrievalStatus": f"URL_RETRIEVAL_STATUS_{'ERROR' if 'missing' in address else 'SUCCESS'}",
            }
            for address in _ADDRESS.findall(prompt)
        ]
        found["urlContextMetadata"] = {"urlMetadata": read}
    return found


def tokens_of(tools: set[str], prompt: str) -> int:
    """Return the tokens of the results of tools; functions are run by the caller and do not count."""
    return _LEAST_TOKENS + number_of(prompt) % 100 if tools - {"functionDeclarations"} else 0


def _chunk(kind: str) -> JsonObject:
    uri = f"https://example.com/{kind.lower()}"
    extra = {"maps": {"placeId": "places/emulated"}, "retrievedContext": {"text": "What was found."}}
    return {kind: {"uri": uri, "title": "example.com", **extra.get(kind, {})}}


def _declared(request: JsonObject) -> Iterator[JsonObject]:
    for tool in _listed(request.get("tools")):
        yield from _listed(field(tool, "functionDeclarations"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
