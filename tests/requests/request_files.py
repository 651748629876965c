"""Request files for a fuzz: lines that are right, as users write them, and a second reading of any line."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.keys import read_key, stamp
from tests.requests.damage import damaged

ROWS = 6
BOM = b"\xef\xbb\xbf"
MODELS = {Task.GENERATE: ["gemini-2.5-flash"], Task.EMBED: ["gemini-embedding-001", "text-embedding-005"]}
TEXTS = [
    '"hi"',
    '"two\\n\\"lines\\" \\\\ and \\u00e9 — \U0001f600 \\ud83d\\ude00"',
    '"NaN, Infinity and {{ ds }} \u2028 \\u0000"',
    f'"{"long " * 40}"',
]
KEYS = ["k-{}", "{:04d}", "ключ {}", "key={}", '\\"{}\\\\', "r{}", "true {}", "k" * 500 + "{}"]
SETTINGS = [
    "",
    ', "generationConfig": {"temperature": 0.10000000000000000001, "topK": 40}',
    ', "generationConfig": {"temperature": 1.00e0, "stopSequences": ["}"]}',
    ', "systemInstruction": {"parts": [{"text": "Be brief."}]}',
    ', "generationConfig": {"temperature": 1e-9, "seed": 123456789}',
]
DEFAULTS = {"seed": 3, "top_p": 0.5}


@dataclass
class RequestFile:
    """A file of a seed, some of its lines damaged."""

    seed: int
    backend: Backend
    task: Task
    model: str
    defaults: dict[str, Any] | None
    lines: list[bytes]
    hurt: set[int]
    """Which lines are damaged, from 0."""
    end: bytes
    closed: bool
    bom: bool
    given_up: set[int] = field(default_factory=set)
    """Lines that were refused and taken out."""

    @property
    def data(self) -> bytes:
        return BOM * self.bom + self.joined(0, len(self.lines)) + self.end * self.closed

    def joined(self, begin: int, end: int) -> bytes:
        """Return some lines, without those that were given up."""
        numbers = range(begin, end)
        return self.end.join(b" " if number in self.given_up else self.lines[number] for number in numbers)

    def unmarked(self, number: int) -> bytes:
        """Return a line without the byte order mark that the file may begin with."""
        return self.lines[number].removeprefix(b"" if number or self.bom else BOM)

    def chunks(self) -> list[bytes]:
        """Return the bytes as a reader may get them."""
        chance, data, found = random.Random(self.seed), self.data, []
        while data:
            size = chance.choice([1, 2, 3, 40, len(data), chance.randint(1, len(data))])
            found.append(data[:size])
            data = data[size:]
        return found


def request_file(seed: int) -> RequestFile:
    """Make the file of a seed; a quarter of them are undamaged."""
    chance = random.Random(seed)
    backend = chance.choice(list(Backend))
    task = chance.choice([Task.GENERATE, Task.GENERATE, Task.EMBED])
    model = chance.choice(MODELS[task] if backend is Backend.VERTEX else MODELS[task][:1])
    lines = [_line(chance, number, backend, task, model) for number in range(ROWS)]
    hurt = set(chance.sample(range(ROWS), chance.choice([0, 1, 1, 2])))
    for number in hurt:
        lines[number] = damaged(chance, lines[number])
    return RequestFile(
        seed,
        backend,
        task,
        model,
        DEFAULTS if task is Task.GENERATE and chance.random() < 0.25 else None,
        lines,
        hurt,
        end=chance.choice([b"\n", b"\n", b"\r\n", b"\n\n", b"\r\n \t\r\n"]),
        closed=chance.random() < 0.8,
        bom=chance.random() < 0.1,
    )


def _line(chance: random.Random, number: int, backend: Backend, task: Task, model: str) -> bytes:
    text = chance.choice(TEXTS)
    if model.startswith("text-"):
        return f'{{"content": {text}}}'.encode()
    turn = f'{{"parts": [{{"text": {text}}}], "role": "user"}}'
    asked = (
        f'"contents": [{turn}]{chance.choice(SETTINGS)}' if task is Task.GENERATE else f'"content": {turn}'
    )
    request = f"{{{asked}}}"
    key = chance.choice(KEYS).format(number)
    beside = ', "year": 2026, "new": true' if backend is Backend.VERTEX and chance.random() < 0.5 else ""
    shown = chance.choice(
        [
            f'{{"key": "{key}", "request": {request}{beside}}}',
            f'{{ "request":{request}{beside} ,"key":"{key}"}}',
            f'{{"request": {request}{beside}}}',
            request,
        ]
    )
    return chance.choice([shown, f" \t{shown} ", shown.replace('"hi"', '"\\u0068i"')]).encode()


# ------------------------------------------------------------ the second reading


class Number(NamedTuple):
    """A number as it is written."""

    text: str


def strict(line: bytes) -> Any:
    """Read JSON as its standard has it.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(line.decode(), parse_constant=_refuse, parse_int=Number, parse_float=Number)
    json.dumps(value, ensure_ascii=False).encode()  # refuses half of a surrogate pair
    return value


def _refuse(word: str) -> None:
    raise ValueError(word)


def is_usable(line: bytes, file: RequestFile) -> bool:
    """Whether a line has what every line needs; one that has may still be refused for more."""
    try:
        row = strict(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(row, dict):
        return False
    if row.keys() & {"text", "parts"} and row.keys() <= {"text", "parts", "role", "thought"}:
        return True  # a prompt by itself
    request = row.get("request", row)
    if not isinstance(request, dict):
        return False
    prompts = [request.get(name) for name in ("content", "contents")[file.task is Task.GENERATE :]]
    if not any(
        isinstance(prompt, str) or (isinstance(prompt, (dict, list)) and prompt) for prompt in prompts
    ):
        return False
    key = "k" if row.get("key") is None else row["key"]
    alone = (
        file.backend is Backend.VERTEX or "request" not in row or row.keys() <= {"key", "request", "metadata"}
    )
    return isinstance(key, str) and 0 < len(key) <= 512 and alone


def expected(file: RequestFile) -> list[tuple[str | None, dict[str, Any], int]]:
    """Say of each line that is left what is to be asked: its key, what stands in it, and its number from 0."""
    found: list[tuple[str | None, dict[str, Any], int]] = []
    for number, line in enumerate(file.lines):
        if number in file.given_up or not line.strip(b" \t\r"):
            continue
        row = strict(file.unmarked(number))
        if file.model.startswith("text-"):
            found.append((None, row, number))
            continue
        row = row if "request" in row else {"request": row}
        found.append((row.pop("key", None) or stamp(len(found)), row, number))
    return found


def written(line: bytes, file: RequestFile) -> tuple[str | None, dict[str, Any], bool]:
    """Read a line that goes to the service: its key, what stands in it, and whether it was written anew."""
    row = strict(line)
    if file.model.startswith("text-"):
        return None, row, False
    key = row.pop("key")
    if file.backend is Backend.VERTEX:
        return read_key(key), row, file.defaults is not None or key.startswith("key=")
    return key, row, file.defaults is not None


def with_defaults(row: dict[str, Any]) -> dict[str, Any]:
    """Say what stands in a line with `DEFAULTS`."""
    request = row["request"]
    settings = {"seed": 3, "topP": 0.5, **request.get("generationConfig", {})}
    return {**row, "request": {**request, "generationConfig": settings}}


def as_floats(value: Any) -> Any:
    """Read numbers as the services do: where a line is written anew their digits may differ."""
    if isinstance(value, dict):
        return {name: as_floats(one) for name, one in value.items()}
    if isinstance(value, Number):
        return float(value.text)
    return [as_floats(one) for one in value] if isinstance(value, list) else value
