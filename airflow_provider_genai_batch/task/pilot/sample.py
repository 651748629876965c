"""Chooses the requests of the pilot: spread evenly over the input, and the same in every attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from itertools import count

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.task.tables.staged import StagedTable


def places(prepared: PreparedInput, rows: int) -> frozenset[int]:
    """Return the positions of so many requests: one in each of as many equal parts of the input.

    The position within each part is drawn from the digest of the input. So the sample does not follow a regular pattern
    in the input, and each attempt draws the same.
    """
    requests, seed = prepared.requests or 0, str(prepared.content).encode()
    found = []
    for piece in range(rows):
        begin, end = piece * requests // rows, (piece + 1) * requests // rows
        drawn = int.from_bytes(blake2b(b"%d/%b" % (piece, seed), digest_size=8).digest(), "big")
        found.append(begin + drawn % (end - begin))
    return frozenset(found)


def pilot_of(prepared: PreparedInput, rows: int) -> PreparedInput:
    """Return an input with the requests of the pilot."""
    if prepared.table is not None:
        return _of_table(prepared, prepared.table, rows, first=True)
    chosen = places(prepared, rows)
    return _part(prepared, lambda place: place in chosen)


def others_of(prepared: PreparedInput, rows: int) -> PreparedInput:
    """Return an input with all other requests."""
    if prepared.table is not None:
        return _of_table(prepared, prepared.table, rows, first=False)
    chosen = places(prepared, rows)
    return _part(prepared, lambda place: place not in chosen)


def _of_table(prepared: PreparedInput, table: StagedTable, rows: int, *, first: bool) -> PreparedInput:
    """Return rows of a table in BigQuery: those with the least hashes of keys go first."""
    whole = prepared.requests or 0
    requests = rows if first else whole - rows
    tokens = prepared.tokens.times(requests / whole) if prepared.tokens is not None and whole else None
    content = [prepared.content, "first" if first else "others", rows]
    sampled = replace(table, sample=(rows, first))
    return replace(prepared, content=content, requests=requests, table=sampled, tokens=tokens)


def _part(prepared: PreparedInput, wanted: Callable[[int], bool]) -> PreparedInput:
    at = count()
    part = subset(prepared, lambda _key, _place: wanted(next(at)))
    if part is None:
        msg = (
            "pilot takes a sample of the requests, and this is not possible here: they have no keys, or only the "
            "service reads them. Nothing was sent. Leave pilot out."
        )
        raise ConfigurationError(msg)
    return part
