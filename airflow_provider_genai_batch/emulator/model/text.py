"""The text of a request, and a plain answer to it."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, field

_CHOICES = re.compile(
    r"(?:one of|either|choose (?:from|between)|classify (?:it |this )?as|categor(?:y|ies)|labels?|"
    r"answer(?: only)? with)"
    r"\s*:?\s*\[?([\w\"' -]+(?:(?:,|/|\||\bor\b|\band\b)[\w\"' -]+)+)\]?",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"\s*(?:,|/|\||\bor\b|\band\b)\s*", re.IGNORECASE)
_GOOD = re.compile(
    r"\b(good|great|love|loved|excellent|amazing|wonderful|happy|perfect|fantastic|best|nice)\b",
    re.IGNORECASE,
)
_BAD = re.compile(
    r"\b(bad|awful|terrible|hate|hated|worst|poor|broken|disappoint\w*|slow|sad|horrible)\b", re.IGNORECASE
)
_LONGEST_ECHO = 200
_CHARACTERS_PER_TOKEN = 4


def content_text(content: Any) -> str:
    """Return the text of one content or of a list of contents."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(content_text, content)))
    if isinstance(content, dict):
        parts = content.get("parts", content if "text" in content else [])
        parts = parts if isinstance(parts, list) else [parts]
        if len(parts) == 1 and type(parts[0]) is dict:
            # Nearly every request has this form.
            text = parts[0].get("text")
            return text if isinstance(text, str) else ""
        return "\n".join(
            part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""


def prompt_of(request: JsonObject) -> str:
    """Return the text of the last content, which is the question."""
    contents = request.get("contents")
    last = contents[-1] if isinstance(contents, list) and contents else contents
    return content_text(last)


def system_of(request: JsonObject) -> str:
    """Return the text of the system instruction."""
    return content_text(field(request, "systemInstruction"))


def plain_answer(prompt: str, system: str = "") -> str:
    """Answer a prompt: one of the words it offers, a sentiment, or an echo."""
    found = _CHOICES.search(prompt) or _CHOICES.search(system)
    both = f"{system}\n{prompt}"
    if found:
        choices = [word.strip(" \"'.") for word in _SEPARATOR.split(found.group(1))]
        choices = [word for word in choices if word]
        moods = {"positive": _GOOD, "negative": _BAD}
        for word in choices:
            mood = moods.get(word.lower())
            if mood is not None and mood.search(prompt):
                return word
        return choices[number_of(prompt) % len(choices)]
    if "sentiment" in both.lower():
        good, bad = len(_GOOD.findall(prompt)), len(_BAD.findall(prompt))
        return "positive" if good > bad else "negative" if bad > good else "neutral"
    echo = " ".join(prompt.split())
    return f"Answer to: {echo[:_LONGEST_ECHO]}" if echo else "Nothing was asked."


def number_of(text: str) -> int:
    """Return a number that depends only on the text."""
    return int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:6], "big")


def tokens(text: str) -> int:
    """Count tokens, roughly as Google does: four characters each."""
    return max(1, -(-len(text) // _CHARACTERS_PER_TOKEN)) if text else 0


def cut(text: str, count: int) -> str:
    """Return the first tokens of a text."""
    return text[: count * _CHARACTERS_PER_TOKEN]
