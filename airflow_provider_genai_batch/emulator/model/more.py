"""Gemini answers that are not one text: pictures, speech, thoughts, calls, code, sources, several candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, field, snake
from airflow_provider_genai_batch.emulator.model import media, names, tools
from airflow_provider_genai_batch.emulator.model.reply import More, Parts, Said, signature
from airflow_provider_genai_batch.emulator.model.text import number_of, tokens

_OPTIONS = ("candidateCount", "responseLogprobs", "thinkingConfig", "responseModalities")
_SPELLINGS = frozenset({*_OPTIONS, *map(snake, _OPTIONS)})
_PICTURE_TOKENS = {"512": 747, "1K": 1120, "2K": 1680, "4K": 2520}
"""Source: the model card of Gemini 3.1 Flash Image."""

_OLDER_PICTURE_TOKENS = 1290
_TOKENS_A_SECOND = 25
_THOUGHT = "The question is plain, so the answer can be."


@dataclass(frozen=True)
class Wanted:
    """A request, as far as it has been read.

    Attributes:
        request: The request.
        config: Its generation config.
        prompt: The prompt, including instructions.
        model: The id of the model.
        media_bytes: The size of pictures and sounds; 0: as small as possible.
    """

    request: JsonObject
    config: JsonObject
    prompt: str
    model: str
    media_bytes: int


def wants_more(request: JsonObject, config: JsonObject, model: str) -> bool:
    """Return whether an answer may be more than one text. This is cheap, because every row needs it."""
    return bool(request.get("tools") or not _SPELLINGS.isdisjoint(config) or names.shows(model))


def scripted(parts: Parts) -> More:
    """Return the answer whose parts a script gives."""
    said = sum(tokens(str(part.get("text", ""))) for part in parts.parts if not part.get("thought"))
    return More((Said(list(parts.parts), "STOP"),), by_modality={"TEXT": said})


def more_of(wanted: Wanted, said: Any, text: Callable[[int], tuple[str, str]]) -> More | None:
    """Return an answer that is more than one text; None: it is one text.

    Args:
        wanted: The request.
        said: The answer of a script or of a test's function.
        text: Returns the text of a candidate by its index, and its finish reason.
    """
    kinds = tools.names_of(wanted.request)
    call = tools.call(wanted.request, wanted.prompt, wanted.model, said)
    if call is not None:
        return More(
            (Said([*_thoughts(wanted), call], "STOP"),),
            by_modality={"TEXT": tokens(str(call["functionCall"]))},
        )
    count = int(field(wanted.config, "candidateCount") or 1)
    texts = [text(at) for at in range(count)]
    by_modality = {"TEXT": sum(tokens(one) for one, _ in texts)}
    candidates: list[Said] = []
    for at, (words, reason) in enumerate(texts):
        parts, counted = _content(wanted, kinds, words, at)
        candidates.append(Said([*_thoughts(wanted), *parts], reason))
        by_modality = {**by_modality, **counted}
    members = tools.sources(kinds, wanted.prompt, texts[0][0])
    if field(wanted.config, "responseLogprobs"):
        members |= _chances(texts[0][0], int(wanted.config.get("logprobs") or 1))
    more = More(tuple(candidates), members, by_modality, tools.tokens_of(kinds, wanted.prompt))
    plain = count == 1 and not members and not more.tools and candidates[0].parts == [{"text": texts[0][0]}]
    return None if plain else more


def in_words(prompt: str, at: int) -> str:
    """Return the prompt for the candidate at an index, so that each candidate has an answer of its own."""
    return f"{prompt} (in other words, {at})" if at else prompt


def _content(wanted: Wanted, kinds: set[str], words: str, at: int) -> tuple[list[JsonObject], dict[str, int]]:
    """Return the parts of a candidate, and its tokens if they are not those of text."""
    seed = f"{wanted.prompt}#{at}"
    if names.speaks(wanted.model):
        sound = media.pcm(seed, wanted.media_bytes)
        spoken = max(1, round(media.seconds(sound) * _TOKENS_A_SECOND))
        return [media.part(media.SPEECH, sound)], {"TEXT": 0, "AUDIO": spoken}
    if names.draws(wanted.model):
        picture = media.part("image/png", media.png(seed, wanted.media_bytes))
        signed = (
            {**picture, "thoughtSignature": signature(seed)}
            if wanted.model.startswith("gemini-3")
            else picture
        )
        alone = "TEXT" not in modalities(wanted.config, wanted.model)
        size = field(field(wanted.config, "imageConfig") or {}, "imageSize") or "1K"
        counted = _PICTURE_TOKENS.get(size, _PICTURE_TOKENS["1K"])
        if wanted.model.startswith("gemini-2"):
            counted = _OLDER_PICTURE_TOKENS
        return (
            ([signed], {"TEXT": 0, "IMAGE": counted})
            if alone
            else ([{"text": words}, signed], {"IMAGE": counted})
        )
    ran = tools.code(wanted.prompt) if "codeExecution" in kinds else []
    return [*ran, {"text": words}], {}


def modalities(config: JsonObject, model: str) -> list[str]:
    """Return the modalities that an answer may have."""
    asked = field(config, "responseModalities")
    if asked:
        return [str(one).upper() for one in (asked if isinstance(asked, list) else [asked])]
    return ["TEXT", "IMAGE"] if names.draws(model) else ["TEXT"]


def _thoughts(wanted: Wanted) -> list[JsonObject]:
    """Return the thoughts, if a request includes them; models that draw also return a picture."""
    if not field(field(wanted.config, "thinkingConfig") or {}, "includeThoughts"):
        return []
    thought: list[JsonObject] = [{"text": _THOUGHT, "thought": True}]
    if names.draws(wanted.model):
        sketch = media.png(f"{wanted.prompt}#sketch", wanted.media_bytes)
        thought.append({**media.part("image/png", sketch), "thought": True})
    return thought


def _chances(text: str, most: int) -> JsonObject:
    chosen = [_chance(word) for word in text.split()]
    top = [
        {"candidates": [one, *(_chance(f"{one['token']}{at}") for at in range(1, most))]} for one in chosen
    ]
    average = sum(one["logProbability"] for one in chosen) / max(1, len(chosen))
    return {"avgLogprobs": average, "logprobsResult": {"chosenCandidates": chosen, "topCandidates": top}}


def _chance(word: str) -> JsonObject:
    number = number_of(word)
    return {"token": word, "tokenId": number % 200_000, "logProbability": -(number % 3000) / 1000}
