"""Merges the rows of all parts into one file, part after part."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, cast

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.storage.composition import compose
from airflow_provider_genai_batch.exceptions import CallError, InputError
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.results.digest import Digest, Summed, digest_of, joined, parts_of
from airflow_provider_genai_batch.results.read_back import plain
from airflow_provider_genai_batch.results.sinks import Form, form_of, opened
from airflow_provider_genai_batch.results.write import spell
from airflow_provider_genai_batch.task.files.files import by_connection, published, read_chunks, seekable
from airflow_provider_genai_batch.wire.keys import stamp, stamped_index
from airflow_provider_genai_batch.wire.services.storage import split_uri

_PLACED = re.compile(rb'\A\{"key":"((?:[^"\\]|\\.)*)","index":(\d+),')
"""The beginning of a row whose position in the input is known; its key may be a stamp, which is made from it."""
_SAME = b'"same_as":"r'
"""Is in each row whose answer is that of an equal request with a stamp."""
_ROWS = 1024
"""How many rows are written at a time."""


def merge(
    parts: Sequence[Manifest],
    client: GenAIBatchClient,
    results_uri: str,
    *,
    renumber: bool,
    ordered: bool = False,
) -> str:
    """Write the rows of all parts to one file, which appears whole or not at all. Memory does not grow with its size.

    Args:
        parts: the manifests, in the order of the input. Their rows have landed in files of the same format as
            `results_uri`.
        client: the client of the task's connection.
        results_uri: the address of the file.
        renumber: whether to replace a stamped key, made from a row's position in its part, by that for its position in
            the whole input; and the position, too.
        ordered: whether to replace the position, if not the key.

    Returns:
        The digest of the file, as a manifest has it.

    Raises:
        InputError: the rows of a part are gone or have been overwritten, or the parts' columns differ in type.
        OSError: the file cannot be written.
    """
    form, moved = form_of(results_uri), _Moved(renumber) if renumber or ordered else None
    if moved is None and form != "parquet" and _in_one_bucket(parts, results_uri, client):
        return _composed(parts, client, results_uri)
    with published(results_uri, client) as draft:
        out = Summed(cast("BinaryIO", draft.stream))
        if form == "parquet":
            _merge_columns(parts, client, cast("BinaryIO", out), moved)
        else:
            _merge_lines(parts, client, cast("BinaryIO", out), form, moved)
        return str(out.digest)


def _in_one_bucket(parts: Sequence[Manifest], results_uri: str, client: GenAIBatchClient) -> bool:
    """Whether Cloud Storage can join the files of all parts itself."""
    addresses = [results_uri, *(str(part.results_uri) for part in parts)]
    return (
        all(part.results_digest is not None for part in parts)
        and all(by_connection(one, client) for one in addresses)
        and len({split_uri(one)[0] for one in addresses}) == 1
    )


def _composed(parts: Sequence[Manifest], client: GenAIBatchClient, results_uri: str) -> str:
    """Let Cloud Storage join the files. Compressed files, too, may simply follow each other."""
    digests, objects = [str(part.results_digest) for part in parts], []
    try:
        for part, digest in zip(parts, digests, strict=True):
            objects.append(client.perform(client.calls.get_object(str(part.results_uri))))
            if objects[-1].size != parts_of(digest)[1]:
                raise _overwritten(part)
        client.run(compose(client.calls, objects, results_uri))
    except CallError as error:
        # The callers of row readers take a CallError for trouble with a job, which this is not.
        raise OSError(str(error)) from error
    return joined(digests)


def _merge_lines(
    parts: Sequence[Manifest], client: GenAIBatchClient, out: BinaryIO, form: Form, moved: _Moved | None
) -> None:
    if moved is None:  # compressed files, too, may simply follow each other
        for part in parts:
            out.writelines(_own(part, read_chunks(str(part.results_uri), client)))
        return
    with opened(out, form) as write:
        before = 0
        for part in parts:
            with seekable(str(part.results_uri), client) as stream:
                _check(part, stream)
                rows = plain(stream, form)
                while lines := [*islice(rows, _ROWS)]:
                    write(b"".join([moved.line(line, before) for line in lines]))
            before += _rows(part)


@dataclass(frozen=True)
class _Moved:
    """Rewrites the places of a part's rows into those in the whole input.

    Attributes:
        stamps: whether stamped keys are made from places in the part.
    """

    stamps: bool

    def line(self, line: bytes, before: int) -> bytes:
        """Rewrite a row of a part that has `before` rows before it."""
        found = _PLACED.match(line)
        if found is None or not before:
            return line
        index = int(found[2])
        stamped = self.stamps and stamp(index).encode() == found[1]
        key = stamp(before + index).encode() if stamped else found[1]
        new = b'{"key":"%b","index":%d,%b' % (key, before + index, line[found.end() :])
        if not stamped or _SAME not in new:
            return new
        row = json.loads(new)
        # Otherwise these bytes belong to an answer, or to a column of the input.
        if isinstance(row.get("same_as"), str):
            row["same_as"] = _later(row["same_as"], before)
        return spell(row) + b"\n"

    def table(self, table: Any, before: int) -> Any:
        """Rewrite the rows of an Arrow table likewise."""
        import pyarrow as pa

        named = [name for name in ("key", "index", "same_as") if name in table.schema.names]
        columns = {name: table.column(name).to_pylist() for name in named}
        keys, places, same = columns["key"], columns["index"], columns.get("same_as")
        for number, (key, place) in enumerate(zip(keys, places, strict=True)):
            if place is None:
                continue
            places[number] = before + place
            if not self.stamps or key != stamp(place):
                continue
            keys[number] = stamp(before + place)
            if same is not None and same[number] is not None:
                same[number] = _later(same[number], before)
        for name, values in columns.items():
            at = table.schema.get_field_index(name)
            field = table.schema.field(at)
            table = table.set_column(at, field, pa.array(values, field.type))
        return table


def _later(key: str, before: int) -> str:
    """Return the key that a row of a part has in the whole."""
    index = stamped_index(key)
    return key if index is None else stamp(before + index)


def _merge_columns(
    parts: Sequence[Manifest], client: GenAIBatchClient, out: BinaryIO, moved: _Moved | None
) -> None:
    import pyarrow.parquet as pq

    with ExitStack() as stack:
        files = []
        for part in parts:
            stream = stack.enter_context(seekable(str(part.results_uri), client))
            _check(part, stream)
            files.append(stack.enter_context(pq.ParquetFile(stream, pre_buffer=False)))
        _check_schemas([file.schema_arrow for file in files])
        with pq.ParquetWriter(out, files[0].schema_arrow, compression="zstd") as writer:
            before = 0
            for part, file in zip(parts, files, strict=True):
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, use_threads=False)
                    writer.write_table(table if moved is None else moved.table(table, before))
                before += _rows(part)


def _check_schemas(schemas: Sequence[Any]) -> None:
    """Refuse parts whose columns do not fit into one file.

    Raises:
        InputError: a column is missing in a part, or has another type there.
    """
    first = {field.name: field for field in schemas[0]}
    for schema in schemas[1:]:
        other = {field.name: field for field in schema}
        differ = sorted(
            name
            for name in first.keys() | other.keys()
            if name not in first
            or name not in other
            or not first[name].equals(other[name], check_metadata=True)
        )
        if differ:
            msg = (
                f"the parts have columns of different types ({', '.join(differ)}), because the rows of each part "
                "decide them: land as .jsonl, or give output_type and a table whose columns have types."
            )
            raise InputError(msg)


def _own(part: Manifest, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a part, and check at the end that they are those that were landed.

    Raises:
        InputError: they are not.
    """
    digest = Digest()
    for chunk in chunks:
        digest.feed(chunk)
        yield chunk
    _check_digest(part, str(digest))


def _check(part: Manifest, stream: BinaryIO) -> None:
    """Read a part once to check its digest, and go back to its start.

    Raises:
        InputError: it is not what was landed.
    """
    _check_digest(part, digest_of(stream))
    stream.seek(0)


def _check_digest(part: Manifest, digest: str) -> None:
    if part.results_digest not in (None, digest):
        raise _overwritten(part)


def _overwritten(part: Manifest) -> InputError:
    return InputError(
        f"{part.results_uri} is not what was landed there: it has been overwritten since. Clear the mapped task that "
        "wrote it: it lands its rows again and pays nothing."
    )


def _rows(part: Manifest) -> int:
    return 0 if part.counts is None else part.counts.total
