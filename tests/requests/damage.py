"""Damage to lines of JSON, for files that a fuzz makes: bits, bytes, values and names."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

WORDS = [
    "key",
    "request",
    "response",
    "error",
    "status",
    "metadata",
    "predictions",
    "candidates",
    "content",
    "contents",
    "parts",
    "text",
    "role",
    "model",
    "config",
    "body",
    "generationConfig",
    "temperature",
    "thought",
    "finishReason",
    "usageMetadata",
    "promptTokenCount",
    "code",
    "message",
    "embedding",
    "values",
]
ODD: list[Any] = [
    None,
    True,
    -1,
    1e308,
    10**40,
    "",
    "\x00",
    "é\u2028",
    [],
    {},
    [[]],
    {"": {}},
    "r" + "1" * 5000,
]
JUNK = [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"\\ud800",
    b"}",
    b"]",
    b'"',
    b"\r",
    b"\x0b",
    b"\x0c",
    b"[" * 300,
]
Mutation = Callable[[random.Random, bytes], bytes]


def damaged(chance: random.Random, line: bytes) -> bytes:
    """Damage a line once or twice; it stays one line."""
    for _ in range(chance.randint(1, 2)):
        mutate = chance.choice(MUTATIONS)
        try:
            line = mutate(chance, line).replace(b"\n", b"\r")
        except (ValueError, IndexError, RecursionError):  # it was past changing
            line = b"{"
    return line


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give each place in a value with what holds it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, one in list(inner):
        yield value, place
        yield from places(one)


def _flip(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + bytes([line[at] ^ (1 << chance.randrange(8))]) + line[at + 1 :]


def _cut(chance: random.Random, line: bytes) -> bytes:
    return line[: chance.randrange(1, len(line))]


def _double(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + line[at:] * 2


def _insert(chance: random.Random, line: bytes) -> bytes:
    at = chance.choice([0, len(line), chance.randrange(len(line) + 1)])
    return line[:at] + chance.choice(JUNK) + line[at:]


def _swap(chance: random.Random, line: bytes) -> bytes:
    """Put something odd in the place of a value."""
    value = json.loads(line)
    holder, place = chance.choice(list(places(value)))
    holder[place] = chance.choice(ODD)
    return json.dumps(value).encode()


def _rename(chance: random.Random, line: bytes) -> bytes:
    """Call a field something else, or put one where it does not belong."""
    value = json.loads(line)
    holder, place = chance.choice([one for one in places(value) if isinstance(one[0], dict)])
    taken = holder.pop(place) if chance.random() < 0.5 else holder[place]
    holder[chance.choice(WORDS)] = taken
    return json.dumps(value).encode()


def _whole(chance: random.Random, _: bytes) -> bytes:
    return json.dumps(chance.choice(ODD)).encode()


MUTATIONS: list[Mutation] = [_flip, _cut, _double, _insert, _swap, _rename, _whole]
