"""A small sample of an input, spread evenly over it; the same input always gives the same sample."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from pydantic_core import from_json

from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput

MOST = 500
"""The most requests in a sample."""


@dataclass(frozen=True)
class Sample:
    """Some requests of an input."""

    rows: list[Mapping[str, Any]] = field(repr=False)
    """The requests, in the form of lines of a file or entries of a create call."""
    share: float
    """Their fraction of all requests."""
    weight: float
    """Their fraction of all bytes, because token counts depend more on bytes than on the number of requests."""


def sample_of(prepared: PreparedInput, most: int = MOST) -> Sample:
    """Return a sample of an input that could be read; all requests of a small one.

    A large file is not read whole: it is divided into `most` pieces of the same size, and each piece gives the first
    line that begins in it.

    Args:
        prepared: the input.
        most: the most requests in the sample.
    """
    requests = prepared.requests or 0
    if prepared.entries:
        rows: list[Mapping[str, Any]] = [*evenly(prepared.entries, most)]
        share = len(rows) / len(prepared.entries)
        return Sample(rows, share, share)
    stream = prepared.lines
    if stream is None or not requests:
        return Sample([], 1, 1)
    size = stream.seek(0, io.SEEK_END)
    lines = [*_lines(stream, size, most)] if requests > most else [*_all(stream)]
    rows = [from_json(line) for line in lines]
    return Sample(rows, len(rows) / requests, sum(map(len, lines)) / size)


def evenly(items: Any, most: int) -> list[Any]:
    """Return at most `most` items of a sequence, spread evenly."""
    if len(items) <= most:
        return [*items]
    return [items[at * len(items) // most] for at in range(most)]


def _all(stream: BinaryIO) -> Iterator[bytes]:
    stream.seek(0)
    return iter(stream)


def _lines(stream: BinaryIO, size: int, most: int) -> Iterator[bytes]:
    read_to = 0
    for at in range(most):
        begin = size * at // most
        if begin < read_to:  # in the middle of a long line that is in the sample already
            continue
        stream.seek(begin)
        if begin:
            stream.readline()
        if line := stream.readline():
            yield line
            read_to = stream.tell()
