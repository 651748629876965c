"""The rows of parts, written as one table, part after part."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO, cast

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.results.digest import Digest, Summed
from airflow_provider_genai_batch.results.sinks import Form, form_of, opened
from airflow_provider_genai_batch.task.files.files import published, read_chunks, seekable
from airflow_provider_genai_batch.wire.keys import stamp

_PLACED = re.compile(rb'\{"key":"(r\d{8,18})","index":(\d+),')
"""Begins a row whose key may be a stamp of its place."""
_ROWS, _CHUNK = 1024, 1024 * 1024


def merge(parts: Sequence[Manifest], client: GenAIBatchClient, results_uri: str, *, renumber: bool) -> str:
    """Write the rows of all parts to one file, which appears whole or not at all; memory does not grow with it.

    Args:
        parts: in the order of the input; their rows have landed in files of the form of `results_uri`.
        client: of the task's connection.
        results_uri: of the file.
        renumber: keys that were stamped with a row's place in its part become stamps of its place in the whole.

    Returns:
        The digest of the file, as a manifest has it.

    Raises:
        InputError: the rows of a part are not there, or not those of its manifest; or parts have columns that do not
            go together.
        OSError: the file cannot be written.
    """
    form = form_of(results_uri)
    with published(results_uri, client) as draft:
        out = Summed(cast("BinaryIO", draft.stream))
        if form == "parquet":
            _merge_columns(parts, client, cast("BinaryIO", out), renumber)
        else:
            _merge_lines(parts, client, cast("BinaryIO", out), form, renumber)
        return str(out.digest)


def _merge_lines(
    parts: Sequence[Manifest], client: GenAIBatchClient, out: BinaryIO, form: Form, renumber: bool
) -> None:
    if not renumber:  # compressed files, too, may stand behind each other
        for part in parts:
            out.writelines(_own(part, read_chunks(str(part.results_uri), client)))
        return
    with opened(out, form) as write:
        before = 0
        for part in parts:
            with seekable(str(part.results_uri), client) as stream:
                _check(part, stream)
                for lines in _batches(_plain(stream, form)):
                    write(b"".join(_PLACED.sub(_moved_by(before), line, count=1) for line in lines))
            before += _rows(part)


def _plain(stream: BinaryIO, form: Form) -> Iterator[bytes]:
    if form == "jsonl.gz":
        import gzip

        return iter(gzip.GzipFile(fileobj=stream))
    return iter(stream)


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    held: list[bytes] = []
    for line in lines:
        held.append(line)
        if len(held) == _ROWS:
            yield held
            held = []
    yield held


def _moved_by(before: int) -> Callable[[re.Match[bytes]], bytes]:
    """Return what writes the begin of a row anew that has so many rows of other parts before its own."""

    def moved(found: re.Match[bytes]) -> bytes:
        index = int(found[2])
        if stamp(index).encode() != found[1]:
            return found[0]
        return b'{"key":"%b","index":%d,' % (stamp(before + index).encode(), before + index)

    return moved


def _merge_columns(
    parts: Sequence[Manifest], client: GenAIBatchClient, out: BinaryIO, renumber: bool
) -> None:
    import pyarrow.parquet as pq

    with ExitStack() as stack:
        files = []
        for part in parts:
            stream = stack.enter_context(seekable(str(part.results_uri), client))
            _check(part, stream)
            files.append(stack.enter_context(pq.ParquetFile(stream, pre_buffer=False)))
        schema = _one_schema([file.schema_arrow for file in files])
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            before = 0
            for part, file in zip(parts, files, strict=True):
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, use_threads=False)
                    table = _renumbered(table, before) if renumber else table
                    writer.write_table(table.cast(schema))
                before += _rows(part)


def _one_schema(schemas: Sequence[Any]) -> Any:
    """Return the columns of all parts.

    Raises:
        InputError: a column is another thing in another part.
    """
    import pyarrow as pa

    first = schemas[0]
    for schema in schemas[1:]:
        if schema.names != first.names or any(
            one.type != other.type or one.metadata != other.metadata
            for one, other in zip(schema, first, strict=True)
        ):
            names = sorted(
                {
                    *(set(schema.names) ^ set(first.names)),
                    *(
                        field.name
                        for field in schema
                        if field.name in first.names and field != first.field(field.name)
                    ),
                }
            )
            msg = (
                f"the parts have columns of different types ({', '.join(names)}), for what one holds decides them: "
                "land as .jsonl, or give output_type and a table whose columns have types."
            )
            raise InputError(msg)
    return pa.schema(first, metadata=first.metadata)


def _renumbered(table: Any, before: int) -> Any:
    keys, places = table.column("key").to_pylist(), table.column("index").to_pylist()
    for number, (key, place) in enumerate(zip(keys, places, strict=True)):
        if place is not None and key == stamp(place):
            keys[number], places[number] = stamp(before + place), before + place
    for name, values in (("key", keys), ("index", places)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), [values])
    return table


def _own(part: Manifest, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass the bytes of a part on, and see at their end that they are those that it landed.

    Raises:
        InputError: they are not.
    """
    digest = Digest()
    for chunk in chunks:
        digest.feed(chunk)
        yield chunk
    if part.results_digest not in (None, str(digest)):
        msg = (
            f"{part.results_uri} is not what was landed there: it has been overwritten since. Clear the mapped task "
            "that wrote it: it lands its rows again and pays nothing."
        )
        raise InputError(msg)


def _check(part: Manifest, stream: BinaryIO) -> None:
    """Read a part once for its digest, and go back to its begin."""
    for _ in _own(part, iter(lambda: stream.read(_CHUNK), b"")):
        pass
    stream.seek(0)


def _rows(part: Manifest) -> int:
    return 0 if part.counts is None else part.counts.total
