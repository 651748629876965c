"""Inputs in the forms that people have them in: the same prompts each time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tests.benchmarks.data import answers

FORMS = ("jsonl", "own", "config", "keyless", "csv", "parquet")
CONFIG = {"temperature": 0.2, "maxOutputTokens": 512, "responseMimeType": "application/json"}
_ENDINGS = {"own": "own.jsonl", "config": "config.jsonl", "keyless": "keyless.jsonl"}
_GROUP = 20_000


def prepare(folder: Path, form: str, rows: int) -> Path:
    """Write a file of as many prompts of some 450 characters."""
    path = folder / f"prompts-{rows}.{_ENDINGS.get(form, form)}"
    if not path.exists():
        _WRITERS[form](path, rows)
    return path


def _jsonl(path: Path, rows: int, *, key: str = "r{:08d}", **beside: Any) -> None:
    with path.open("w", encoding="utf-8") as out:
        for index, text in enumerate(answers("plain", rows)):
            named = {"key": key.format(index)} if key else {}
            request = {"contents": [{"role": "user", "parts": [{"text": text}]}], **beside}
            out.write(json.dumps({**named, "request": request}, ensure_ascii=False) + "\n")


def _csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "text"])
        writer.writerows(enumerate(answers("plain", rows)))


def _parquet(path: Path, rows: int) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    texts = enumerate(answers("plain", rows))
    with ParquetWriter(path, schema) as writer:
        while group := list(islice(texts, _GROUP)):
            writer.write_table(pa.table(list(zip(*group, strict=True)), schema))


_WRITERS: dict[str, Callable[[Path, int], None]] = {
    "jsonl": _jsonl,
    "own": partial(_jsonl, key="customer-{:09d}/2026-01"),
    "config": partial(_jsonl, generationConfig=CONFIG),
    "keyless": partial(_jsonl, key=""),
    "csv": _csv,
    "parquet": _parquet,
}
