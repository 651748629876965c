"""Selects requests of an input, such as those to submit again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, BinaryIO, cast

from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.task.files.files import spool
from airflow_provider_genai_batch.task.inputs.parts import InputDigest, keyed_lines
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.wire.keys import stamped_indices
from airflow_provider_genai_batch.wire.lines.entry import entry_key

Wanted = Callable[[str | None, int | None], bool]
"""Takes a request's key and, if all keys are generated, its position in the whole input. Returns True to select it."""


def subset(
    prepared: PreparedInput, wanted: Wanted, besides: Callable[[int], bool] | None = None
) -> PreparedInput | None:
    """Return an input with only the wanted requests, in order and with their keys.

    Args:
        prepared: the input.
        wanted: takes the key, and the position in the whole input if `stamps` says that keys have it (else None).
        besides: takes a position among the requests of `prepared`, from 0, and returns whether to leave it out.

    Returns:
        None if the requests cannot be read, or have no keys.

    Raises:
        InputError: no request is wanted.
    """
    if not prepared.keyed or (prepared.lines is None and not prepared.entries):
        return None
    chosen: list[Mapping[str, Any]] = []
    stream = None if prepared.entries else prepared.stack.enter_context(spool())
    sums: InputDigest | None = None
    for number, (key, place, item) in enumerate(_items(prepared)):
        if (besides is not None and besides(number)) or not wanted(key, place):
            continue
        sums = InputDigest(place or 0) if sums is None else sums
        if isinstance(item, bytes):
            sums.add(key, item)
            cast("BinaryIO", stream).write(item)
        else:
            sums.add(key)
            chosen.append(item)
    if sums is None:
        msg = "no request is wanted: there is nothing to submit"
        raise InputError(msg)
    if stream is None:
        return prepared.part(sums, digest(chosen), entries=tuple(chosen))
    return prepared.part(sums, sums.sha256, lines=stream, in_place=False)


def _items(prepared: PreparedInput) -> Iterator[tuple[str | None, int | None, Any]]:
    """Yield key, position in the whole input, and line or entry of each request."""
    several: Iterable[tuple[Sequence[str | None], Sequence[Any]]]
    if prepared.entries:
        several = [([*map(entry_key, prepared.entries)], prepared.entries)]
    else:
        several = keyed_lines(cast("BinaryIO", prepared.lines), prepared.backend)
    for keys, items in several:
        places = stamped_indices(cast("Sequence[str]", keys)) if prepared.stamps else repeat(None)
        yield from zip(keys, places, items)  # noqa: B905 - one of them may not end
