"""A few requests, spread evenly and repeatably over an input, that stand for all of it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from pydantic_core import from_json

from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput

MOST = 500
"""Requests of a sample."""


@dataclass(frozen=True)
class Sample:
    """Some requests of an input."""

    rows: list[Mapping[str, Any]] = field(repr=False)
    """As lines of a file or entries of a create call have them."""
    share: float
    """The part of all requests that they are."""
    weight: float
    """The part of all bytes that they are: tokens go with bytes more than with requests."""


def sample_of(prepared: PreparedInput, most: int = MOST) -> Sample:
    """Take some requests of an input that could be read; all of a small one.

    The lines of a large one are not read to find them: a file is as many pieces of one size, and each
    gives the first line that begins in it.

    Args:
        prepared: the input.
        most: so many at most.
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
    """Return so many items of a sequence at most, as far apart as they can be."""
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
        if begin < read_to:  # in the middle of a long line of the sample
            continue
        stream.seek(begin)
        if begin:
            stream.readline()
        if line := stream.readline():
            yield line
            read_to = stream.tell()
