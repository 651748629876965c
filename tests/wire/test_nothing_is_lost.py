"""Whatever an answer can have, by Google's own types and in captures, is in its row, in a file, or counted."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.results.read import RowReader
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields
from airflow_provider_genai_batch.wire.spelling import camel

types = pytest.importorskip("google.genai.types")

WORD, NUMBER, FRACTION, BYTES = "m4rk3d", 90210, 0.90210, "bTRyazNk"
MARKS = (WORD, str(NUMBER), str(FRACTION), BYTES)


def value_of(kind: Any) -> Any:
    """Return a value of a plain type that is found again."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        return {"k": WORD}
    if origin is list:
        return [value_of(inner[0])]
    if inner and origin is not typing.Literal:
        return value_of(next(one for one in inner if one is not type(None)))
    return {bool: True, int: NUMBER, float: FRACTION, bytes: BYTES}.get(kind, WORD)


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for one in typing.get_args(kind):
        yield from models_in(one)


def members(
    model: type[BaseModel], within: tuple[type[BaseModel], ...] = ()
) -> Iterator[tuple[list[str], Any]]:
    """Give each member that is no object, however deep it stands, by its path and as an object with it alone."""
    for name, field in model.model_fields.items():
        below = [one for one in models_in(field.annotation) if one not in within]
        many = typing.get_origin(next(iter(typing.get_args(field.annotation)), None)) is list
        for one in below:
            for path, value in members(one, (*within, one)):
                yield [name, *path], {name: [value] if many else value}
        if not below:
            yield [name], {name: value_of(field.annotation)}


def spelled(value: Any, how: Any) -> Any:
    """Spell the names of an object, but for those of a user's own."""
    if isinstance(value, list):
        return [spelled(one, how) for one in value]
    if not isinstance(value, dict):
        return value
    return {name if name == "k" else how(name): spelled(one, how) for name, one in value.items()}


def with_text(response: dict[str, Any], how: Any) -> dict[str, Any]:
    """Let a response have an answer with a text beside what it has."""
    text = {"text": "an answer"}
    (candidate,) = response.get("candidates") or [{}]
    content = candidate.get("content") or {}
    parts = [*content.get("parts", ()), text]
    candidate = {how("finish_reason"): "STOP", **candidate, "content": {**content, "parts": parts}}
    return {**response, "candidates": [candidate]}


DRAWN = list(members(types.GenerateContentResponse)) + list(members(types.EmbedContentResponse))
SPELLINGS = {"camel": camel, "snake": str}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("backend", list(Backend))
@pytest.mark.parametrize("keep_media", [False, True])
def test_every_member_of_googles_types_lands_or_is_counted(
    spelling: str, backend: Backend, keep_media: bool
) -> None:
    how, lost = SPELLINGS[spelling], []
    for path, one in DRAWN:
        response = with_text(spelled(one, how), how)
        reading = Reading(keep_media=keep_media)
        row = read_fields({"key": "a", "response": response}, backend, reading)
        landed = any(mark in json.dumps(row) for mark in MARKS) or (
            "true" in json.dumps(row) and "true" in json.dumps(one)
        )
        if not landed and not reading.dropped:
            lost.append(".".join(path))
        if not keep_media:
            ResultRow.model_validate(row)
    assert len(DRAWN) > 200
    assert lost == []


@pytest.mark.parametrize("backend", list(Backend))
def test_the_straight_way_loses_no_member_of_googles_types_either(backend: Backend) -> None:
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    for path, one in DRAWN:
        response = with_text(spelled(one, camel), camel)
        response = {
            "modelVersion": "m",
            **response,
            "usageMetadata": {**usage, **response.get("usageMetadata", {})},
        }
        line = {"key": "a", "response": response}
        straight, long = Reading(), Reading()
        (row,) = RowReader(backend, straight).feed(json.dumps(line).encode() + b"\n")
        assert (row, straight.dropped) == (read_fields(line, backend, long), long.dropped), path


# ------------------------------------------------------------ captures


def answers_in(value: Any) -> Iterator[dict[str, Any]]:
    """Give each response of a model that stands in JSON."""
    if isinstance(value, list):
        for one in value:
            yield from answers_in(one)
    elif isinstance(value, dict):
        if isinstance(value.get("candidates"), list) or "embedding" in value:
            yield value
        else:
            for one in value.values():
                yield from answers_in(one)


def captures() -> Iterator[dict[str, Any]]:
    for path in sorted(Path(__file__).parents[1].rglob("*.json*")):
        if path.suffix not in (".json", ".jsonl"):
            continue
        text = path.read_text()
        for one in text.splitlines() if path.suffix == ".jsonl" else [text]:
            try:
                yield from answers_in(json.loads(one))
            except ValueError:
                continue


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, (dict, list)) and value:
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(one, (*path, name))
    elif value not in (None, "", [], {}):
        yield path


def changed(value: Any, path: tuple[Any, ...]) -> Any:
    """Return the same with another value at a place."""
    if not path:
        return not value if isinstance(value, bool) else value + ("x" if isinstance(value, str) else 1)
    if isinstance(value, dict):
        return {name: changed(one, path[1:]) if name == path[0] else one for name, one in value.items()}
    return [changed(one, path[1:]) if number == path[0] else one for number, one in enumerate(value)]


def test_every_member_of_a_capture_lands_or_is_counted() -> None:
    found, lost = 0, set()
    for response in captures():
        found += 1
        reading = Reading()
        row = read_fields({"key": "a", "response": response}, Backend.VERTEX, reading)
        for path in leaves(response):
            again = Reading()
            other = read_fields({"key": "a", "response": changed(response, path)}, Backend.VERTEX, again)
            names = [name for name in path if isinstance(name, str)]
            ways = (".".join(names[start:]) for start in range(len(names)))
            counted = any(way.startswith(kind) for way in ways for kind in reading.dropped)
            if (other, again.dropped) == (row, reading.dropped) and not counted:
                lost.add(".".join(names))
    assert found >= 3
    assert lost == set()
