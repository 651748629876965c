"""The same answers as lines of a Gemini and of an OpenAI batch result, plain or structured."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LENGTH = 450
"""Characters of an answer."""
KINDS = ("plain", "structured")
_WORDS = re.findall(
    r"\w+",
    "the a of and to in review product buyer says that it works well but arrived late price quality would again "
    "recommend battery screen because after two weeks still broke service answered quickly",
)
_ACCENTED = ("café", "naïve", "Zürich", "—")
_TOPICS = ("price", "quality", "delivery", "service", "battery", "screen")


def answers(kind: str, rows: int) -> Iterator[str]:
    """Give as many texts of about `LENGTH` characters, always the same."""
    chance = random.Random(kind)
    for _ in range(rows):
        text = _prose(chance, LENGTH if kind == "plain" else LENGTH - 120)
        yield text if kind == "plain" else json.dumps(_structured(chance, text), ensure_ascii=False)


def gemini(index: int, text: str) -> dict[str, Any]:
    """Return a line as the Gemini API's result file has it."""
    count = len(text) // 4
    response = {
        "candidates": [
            {
                "content": {"parts": [{"text": text}], "role": "model"},
                "finishReason": "STOP",
                "avgLogprobs": -0.25,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 31,
            "candidatesTokenCount": count,
            "totalTokenCount": 31 + count,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}],
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": f"{index:022x}",
    }
    return {"key": f"r{index:08d}", "response": response}


def openai(index: int, text: str) -> dict[str, Any]:
    """Return a line as OpenAI's result file has it."""
    count = len(text) // 4
    body = {
        "id": f"chatcmpl-{index:029x}",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "gpt-5-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 31, "completion_tokens": count, "total_tokens": 31 + count},
        "system_fingerprint": None,
    }
    response = {"status_code": 200, "request_id": f"{index:032x}", "body": body}
    return {
        "id": f"batch_req_{index:024x}",
        "custom_id": f"request-{index}",
        "response": response,
        "error": None,
    }


def write(path: Path, spelling: Any, kind: str, rows: int) -> None:
    """Write a result file."""
    with path.open("w", encoding="utf-8") as out:
        for index, text in enumerate(answers(kind, rows)):
            out.write(json.dumps(spelling(index, text), ensure_ascii=False) + "\n")


def _prose(chance: random.Random, length: int) -> str:
    """Return a paragraph or two; one in five has letters beyond ASCII, one in three a quotation."""
    words = chance.choices(_WORDS, k=length // 5)
    if chance.random() < 0.2:
        words[length // 20] = chance.choice(_ACCENTED)
    text = " ".join(words)[:length]
    if chance.random() < 0.3:
        text = f'{text[:20]}"{text[20:60]}"{text[60:]}'
    return f"{text[: length // 2]}\n{text[length // 2 :]}"


def _structured(chance: random.Random, text: str) -> dict[str, Any]:
    return {
        "sentiment": chance.choice(("good", "bad", "mixed")),
        "confidence": round(chance.random(), 3),
        "topics": chance.sample(_TOPICS, 3),
        "summary": text,
    }
