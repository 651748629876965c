"""Advice for an unknown name in a message: the right name, or the place where it belongs."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.backend_fields import is_taken
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES

_SHOWN = 12
"""The most fields that are listed if no name is similar."""
_GENERATION, _REQUEST = MESSAGES["GenerationConfig"], MESSAGES["GenerateContentRequest"]
_WORDS = {
    "GenerationConfig": {
        "maxTokens": "maxOutputTokens",
        "maxCompletionTokens": "maxOutputTokens",
        "maxTokensToSample": "maxOutputTokens",
        "maxNewTokens": "maxOutputTokens",
        "stop": "stopSequences",
        "n": "candidateCount",
        "schema": "responseSchema",
        "jsonSchema": "responseJsonSchema",
        "modelSelectionConfig": "modelConfig",
    },
    "GenerateContentRequest": {"system": "systemInstruction", "systemPrompt": "systemInstruction"},
    "Content": {"content": "parts", "text": "parts", "part": "parts"},
    "Part": {"content": "text", "imageUrl": "fileData", "image": "inlineData", "file": "fileData"},
    "FileData": {"uri": "fileUri", "url": "fileUri", "type": "mimeType"},
    "Blob": {"bytes": "data", "type": "mimeType"},
    "FunctionCall": {"arguments": "args"},
    "FunctionDeclaration": {"inputSchema": "parametersJsonSchema"},
}
"""Other services' names for the same field, and names of the SDK that differ from REST."""


CONFIG = ("GenerationConfig", "GenerateContentRequest")
"""The messages whose fields are combined in the SDK's GenerateContentConfig."""


def advice(name: str, messages: tuple[str, ...], backend: Backend, present: Collection[str] = ()) -> str:
    """Return advice on what to write instead.

    Args:
        name: in lowerCamel; none of the messages has it.
        messages: names in `MESSAGES` whose fields are allowed there.
        backend: names that it does not accept are not suggested.
        present: fields that are already present, so they are not suggested again.
    """
    if place := _home(name, messages, backend):
        return place
    there = {*present, "model", "contents"}
    kinds = {
        field: kind
        for message in messages
        for field, kind in MESSAGES[message].items()
        if field not in there and is_taken(message, field, backend)
    }
    word = next((_WORDS.get(message, {}).get(name) for message in messages), None)
    into = _below(name, kinds, backend)
    return (
        nearest(name, word, kinds)
        or (f"Put it into {into}." if into else "")
        or all_of(kinds)
        or f"Leave it out; Google's reference of {messages[0]} has the fields there are."
    )


def nearest(name: str, word: str | None, free: Collection[str]) -> str:
    """Suggest a similar name; empty if none is similar.

    Args:
        name: the name that the user wrote.
        word: the right name for the same thing, if known.
        free: names that may still be written.
    """
    near = [word] if word in free else get_close_matches(name, free, n=1)
    return f"Did you mean {near[0]}?" if near else ""


def all_of(free: Collection[str]) -> str:
    """List all names that may still be written; empty if there are too many."""
    if not free:
        return "Leave it out."
    return f"There are {', '.join(sorted(free))}." if len(free) <= _SHOWN else ""


def _home(name: str, messages: tuple[str, ...], backend: Backend) -> str:
    """Point to the right place for fields of a request and of its ``generationConfig``, which are often confused."""
    if messages == ("GenerateContentRequest",) and name in _GENERATION:
        if not is_taken("GenerationConfig", name, backend):
            return "Leave it out: the service has no such field."
        return "Put it into generationConfig."
    if messages == ("GenerationConfig",) and name in _REQUEST:
        if not is_taken("GenerateContentRequest", name, backend):
            return "Leave it out: a batch does not take it."
        return "Put it beside contents, not into generationConfig."
    return ""


def _below(name: str, kinds: dict[str, str], backend: Backend) -> str:
    """Return the field whose message has the name, if there is exactly one."""
    found = [
        field
        for field, kind in kinds.items()
        if name in MESSAGES.get(kind, ()) and is_taken(kind, name, backend)
    ]
    return found[0] if len(found) == 1 else ""
