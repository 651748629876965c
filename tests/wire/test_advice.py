"""What a refusal advises is not refused for the same reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.prompts.messages import MESSAGES

TURN = {"role": "user", "parts": [{"text": "hi"}]}
FLASH, EMBEDS = "gemini-2.5-flash", "gemini-embedding-001"
GOOD: dict[str, Any] = {
    "string": "x",
    "bytes": "eA==",
    "int": 1,
    "float": 0.5,
    "bool": True,
    "enum": "X",
    "any": {"a": 1},
    "time": "2026-01-01T00:00:00Z",
}
PLACES = {
    "GenerateContentRequest": (),
    "GenerationConfig": ("generationConfig",),
    "ThinkingConfig": ("generationConfig", "thinkingConfig"),
    "ImageConfig": ("generationConfig", "imageConfig"),
    "ToolConfig": ("toolConfig",),
    "FunctionCallingConfig": ("toolConfig", "functionCallingConfig"),
    "Content": ("contents", 0),
    "Part": ("contents", 0, "parts", 0),
    "Blob": ("contents", 0, "parts", 1, "inlineData"),
    "FileData": ("contents", 0, "parts", 2, "fileData"),
}
WORDS = [
    "maxTokens",
    "max_tokens",
    "stop",
    "n",
    "system",
    "content",
    "type",
    "url",
    "uri",
    "mime",
    "arguments",
    "foo",
]


def request() -> dict[str, Any]:
    parts = [
        {"text": "hi"},
        {"inlineData": {"mimeType": "image/png"}},
        {"fileData": {"mimeType": "image/png"}},
    ]
    return {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": {"thinkingConfig": {}, "imageConfig": {}},
        "toolConfig": {"functionCallingConfig": {}},
    }


def good(kind: str) -> Any:
    if kind[0] in "[{":
        inner = good(kind[1:-1])
        return [inner] if kind[0] == "[" else {"a": inner}
    if kind == "Content":
        return TURN
    return GOOD.get(kind, {})


def at(whole: dict[str, Any], place: tuple[Any, ...]) -> dict[str, Any]:
    found: Any = whole
    for step in place:
        found = found[step]
    return found  # type: ignore[no-any-return]


def misplaced() -> Iterator[tuple[str, str, Any]]:
    """Give names with a letter too few, in every place, and names of one place in another."""
    for message in PLACES:
        for name in WORDS:
            yield message, name, 1
        for field, kind in MESSAGES[message].items():
            yield message, field[:-2] + field[-1], good(kind)
        for other in ("GenerateContentRequest", "GenerationConfig"):
            for field, kind in MESSAGES[other].items():
                if field not in MESSAGES[message]:
                    yield message, field, good(kind)


@pytest.mark.parametrize("backend", Backend)
def test_what_is_advised_is_not_refused_for_the_same_reason(backend: Backend) -> None:
    followed = 0
    for message, name, value in misplaced():
        place = PLACES[message]
        asked = request()
        at(asked, place)[name] = value
        error = refusal(asked, backend)
        if error is None:
            continue
        assert error.remedy
        asked = request()
        if found := re.search(r"Did you mean (\w+)\?", error.remedy):
            at(asked, place)[found[1]] = good(MESSAGES[message][found[1]])
        elif "Put it beside contents" in error.remedy:
            asked[name] = value
        elif "generationConfig" in error.remedy and "Put it into" in error.remedy:
            asked["generationConfig"][name] = value
        elif found := re.search(r"Put it into (\w+)\.", error.remedy):
            inner = MESSAGES[message][found[1]]
            at(asked, place)[found[1]] = {name: good(MESSAGES[inner][name])}
        else:
            continue
        followed += 1
        again = refusal(asked, backend)
        words = ("unknown field", "exists only on", "does not work", "stands beside")
        assert again is None or not any(word in again.reason for word in words), (message, name, error, again)
    assert followed > 100


@pytest.mark.parametrize(
    ("item", "model", "backend"),
    [
        ({"messages": []}, EMBEDS, Backend.GEMINI),
        ({"foo": 1}, EMBEDS, Backend.VERTEX),
        ({"key": "a", "content": "x"}, "text-embedding-005", Backend.VERTEX),
        ({"foo": "x"}, "text-embedding-005", Backend.VERTEX),
    ],
)
def test_no_advice_names_what_the_family_does_not_have(item: Any, model: str, backend: Backend) -> None:
    with pytest.raises(RequestError) as caught:
        rest_request(item, backend=backend, task=Task.EMBED, model=model)
    assert '"contents"' not in caught.value.remedy
    if model.startswith("text-"):
        assert '"key"' not in caught.value.remedy


def refusal(asked: dict[str, Any], backend: Backend) -> RequestError | None:
    try:
        rest_request({"request": asked}, backend=backend, task=Task.GENERATE, model=FLASH)
    except RequestError as error:
        return error
    return None
