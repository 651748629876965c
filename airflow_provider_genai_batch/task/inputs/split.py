"""Cuts an input into consecutive pieces for several jobs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple, cast

from pydantic_core import to_json

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.jobs.identity import digest
from airflow_provider_genai_batch.task.inputs.parts import InputDigest, keyed_lines
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.tables.staged import StagedTable
from airflow_provider_genai_batch.wire.lines.entry import entry_key
from airflow_provider_genai_batch.wire.services.gemini import MAX_BODY_BYTES

_BUFFER = 256 * 1024
_SHORTER = "Make it shorter; give large media as fileData."
_NOT_INLINE = (
    f"The Gemini API takes {MAX_BODY_BYTES} bytes inline, including what stands around the requests: give them as "
    "a JSONL file (a path or object-storage URI) instead."
)


class _Cut(NamedTuple):
    rows: int
    size: int
    objects: tuple[str, ...] = ()
    """Objects that the service reads in place; empty if the lines are staged."""


def split(
    prepared: PreparedInput, max_requests: int | None = None, max_bytes: int | None = None
) -> list[PreparedInput]:
    """Cut an input into consecutive pieces for several jobs. An input within the limits is returned as it is.

    Pieces read from the same lines, without copies. Objects that the service reads in place are grouped as a whole; an
    object that is too large for one job is staged in pieces. An input that could not be read is one piece.

    Args:
        prepared: the input.
        max_requests: the most requests of a piece; the service's limit for one job also applies.
        max_bytes: the most bytes of a piece's lines; the service's limit for one job also applies.

    Raises:
        RequestError: a single request is too large.
    """
    if prepared.table is not None:
        return _shards(prepared, prepared.table, max_requests)
    if prepared.outputs:
        return [
            replace(prepared, content=table, source=BatchSource(bigquery_uri=table), lines=None, outputs=())
            for table in prepared.outputs
        ]
    cuts = _cuts(prepared, _most(prepared, max_requests, max_bytes))
    if not cuts or (len(cuts) == 1 and bool(cuts[0].objects) == prepared.in_place):
        return [prepared]
    return list(_pieces(prepared, cuts))


def count_pieces(
    prepared: PreparedInput, max_requests: int | None = None, max_bytes: int | None = None
) -> int:
    """Return how many pieces `split` would return. Lines are read only if there may be several.

    Raises:
        RequestError: a single request is too large.
    """
    if prepared.table is not None:
        return len(_shards(prepared, prepared.table, max_requests))
    most, stream = _most(prepared, max_requests, max_bytes), prepared.lines
    if stream is not None and (prepared.requests or 0) <= most.rows:
        size = stream.seek(0, io.SEEK_END)
        if size <= most.size:
            return 1
    return len(_cuts(prepared, most)) or 1


def _most(prepared: PreparedInput, max_requests: int | None, max_bytes: int | None) -> _Cut:
    own = prepared.limits
    return _Cut(
        min(n for n in (max_requests, own.max_requests, sys.maxsize) if n is not None),
        min(n for n in (max_bytes, own.max_bytes, sys.maxsize) if n is not None),
    )


def _cuts(prepared: PreparedInput, most: _Cut) -> list[_Cut]:
    if prepared.entries:
        return [*_cut((len(to_json(entry)) + 1 for entry in prepared.entries), most, remedy=_NOT_INLINE)]
    if prepared.lines is None:
        return []
    return [*(_cut_objects(prepared, most) if prepared.in_place else _cut_lines(prepared, most))]


def _shards(prepared: PreparedInput, table: StagedTable, max_requests: int | None) -> list[PreparedInput]:
    """Divide the rows of a BigQuery table. In later rounds their number is not known here, so they are one piece."""
    most = min((n for n in (max_requests, prepared.limits.max_requests) if n is not None), default=None)
    pieces = table.shards(prepared.requests or 0, most)
    if len(pieces) == 1:
        return [prepared]
    return [
        replace(
            prepared,
            table=piece,
            content=[prepared.content, *cast("tuple[int, int]", piece.shard)],
            requests=None,
        )
        for piece in pieces
    ]


def _cut(sizes: Iterable[int], most: _Cut, before: int = 0, remedy: str = _SHORTER) -> Iterator[_Cut]:
    """Yield the size of each piece; each is filled up to the limits `most`."""
    rows = size = 0
    for number, one in enumerate(sizes, before + 1):
        if one > most.size:
            msg = f"it alone has {one} bytes, more than the {most.size} of one job's input"
            raise RequestError(msg, remedy, where=f"request {number}")
        if rows == most.rows or size + one > most.size:
            yield _Cut(rows, size)
            rows = size = 0
        rows += 1
        size += one
    if rows:
        yield _Cut(rows, size)


def _cut_lines(prepared: PreparedInput, most: _Cut) -> Iterator[_Cut]:
    stream = cast("BinaryIO", prepared.lines)
    stream.seek(0)
    return _cut(map(len, stream), most)


def _cut_objects(prepared: PreparedInput, most: _Cut) -> Iterator[_Cut]:
    """Group whole objects; cut an object that is too large into pieces of lines, which are staged."""
    stream = cast("BinaryIO", prepared.lines)
    stream.seek(0)
    begin = rows = 0
    group: _Cut | None = None
    for uri, end in prepared.objects:
        cuts = list(_cut(_sizes(stream, end - begin), most, rows)) or [_Cut(0, 0)]
        begin, rows = end, rows + sum(cut.rows for cut in cuts)
        if len(cuts) > 1:
            if group is not None:
                yield group
            yield from cuts
            group = None
        elif group and group.rows + cuts[0].rows <= most.rows and group.size + cuts[0].size <= most.size:
            group = _Cut(group.rows + cuts[0].rows, group.size + cuts[0].size, (*group.objects, uri))
        else:
            if group is not None:
                yield group
            group = cuts[0]._replace(objects=(uri,))
    if group is not None:
        yield group


def _sizes(stream: BinaryIO, span: int) -> Iterator[int]:
    """Yield the sizes of the lines in the next `span` bytes."""
    while span > 0:
        size = len(stream.readline())
        span -= size
        yield size


def _pieces(prepared: PreparedInput, cuts: Iterable[_Cut]) -> Iterator[PreparedInput]:
    begin = row = 0
    for cut in cuts:
        sums = InputDigest(prepared.first + row)
        if prepared.entries:
            entries = prepared.entries[row : row + cut.rows]
            for entry in entries:
                sums.add(entry_key(entry))
            yield prepared.part(sums, digest(entries), entries=entries)
        else:
            lines = _slice(cast("BinaryIO", prepared.lines), begin, begin + cut.size)
            for keys, some in keyed_lines(lines, prepared.backend):
                sums.add_all(keys, some)
            source = BatchSource(gcs_uri=cut.objects) if cut.objects else prepared.source
            yield prepared.part(sums, sums.sha256, source=source, lines=lines, in_place=bool(cut.objects))
        row += cut.rows
        begin += cut.size


def _slice(stream: BinaryIO, begin: int, end: int) -> BinaryIO:
    """Return a part of a file as a file. Several parts can be read at the same time while the whole file is open."""
    stream.flush()
    if isinstance(stream, io.BufferedReader) and isinstance(stream.raw, _Slice):
        inner: _Slice = stream.raw
        stream, begin, end = inner.stream, inner.begin + begin, inner.begin + end
    return io.BufferedReader(_Slice(stream, begin, end), _BUFFER)


class _Slice(io.RawIOBase):
    """The bytes from `begin` to `end` of a file; it does not use or move the file's own position."""

    def __init__(self, stream: BinaryIO, begin: int, end: int) -> None:
        super().__init__()
        self.stream, self.begin, self._end, self._at = stream, begin, end, begin

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        # Get the descriptor for every read: once the file is closed, the number may belong to another file.
        data = os.pread(self.stream.fileno(), min(len(view), max(0, self._end - self._at)), self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: self.begin, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = max(self.begin, origin + offset)
        return self._at - self.begin
