"""Merges the rows of all parts into one file, part after part."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
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

_PLACED = re.compile(rb'\A\{"key":"(r\d{8,18})","index":(\d+),')
"""The beginning of a row whose key may be a stamp, which is made from the row's position in the input."""
_SAME = b'"same_as":"r'
"""Is in each row whose answer is that of an equal request with a stamp."""
_ROWS = 1024
"""How many rows are written at a time."""


def merge(parts: Sequence[Manifest], client: GenAIBatchClient, results_uri: str, *, renumber: bool) -> str:
    """Write the rows of all parts to one file, which appears whole or not at all. Memory does not grow with its size.

    Args:
        parts: the manifests, in the order of the input. Their rows have landed in files of the same format as
            `results_uri`.
        client: the client of the task's connection.
        results_uri: the address of the file.
        renumber: whether to replace a stamped key, made from a row's position in its part, by that for its position in
            the whole input.

    Returns:
        The digest of the file, as a manifest has it.

    Raises:
        InputError: the rows of a part are gone or have been overwritten, or the parts' columns differ in type.
        OSError: the file cannot be written.
    """
    form = form_of(results_uri)
    if not renumber and form != "parquet" and _in_one_bucket(parts, results_uri, client):
        return _composed(parts, client, results_uri)
    with published(results_uri, client) as draft:
        out = Summed(cast("BinaryIO", draft.stream))
        if form == "parquet":
            _merge_columns(parts, client, cast("BinaryIO", out), renumber)
        else:
            _merge_lines(parts, client, cast("BinaryIO", out), form, renumber)
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
    parts: Sequence[Manifest], client: GenAIBatchClient, out: BinaryIO, form: Form, renumber: bool
) -> None:
    if not renumber:  # compressed files, too, may simply follow each other
        for part in parts:
            out.writelines(_own(part, read_chunks(str(part.results_uri), client)))
        return
    with opened(out, form) as write:
        before = 0
        for part in parts:
            move = _moved_by(before)
            with seekable(str(part.results_uri), client) as stream:
                _check(part, stream)
                rows = plain(stream, form)
                while lines := [*islice(rows, _ROWS)]:
                    write(b"".join(map(move, lines)))
            before += _rows(part)


def _moved_by(before: int) -> Callable[[bytes], bytes]:
    """Return a function that rewrites the places in a row of a part that has `before` rows before it."""

    def placed(found: re.Match[bytes]) -> bytes:
        index = int(found[2])
        if stamp(index).encode() != found[1]:
            return found[0]
        return b'{"key":"%b","index":%d,' % (stamp(before + index).encode(), before + index)

    def moved(line: bytes) -> bytes:
        new = _PLACED.sub(placed, line, count=1)
        if _SAME not in new or new == line:
            return new
        row = json.loads(new)
        # Otherwise these bytes belong to an answer, or to a column of the input.
        if isinstance(row.get("same_as"), str):
            row["same_as"] = _later(row["same_as"], before)
        return spell(row) + b"\n"

    return moved


def _later(key: str, before: int) -> str:
    """Return the key that a row of a part has in the whole."""
    index = stamped_index(key)
    return key if index is None else stamp(before + index)


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
        _check_schemas([file.schema_arrow for file in files])
        with pq.ParquetWriter(out, files[0].schema_arrow, compression="zstd") as writer:
            before = 0
            for part, file in zip(parts, files, strict=True):
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, use_threads=False)
                    writer.write_table(_renumbered(table, before) if renumber else table)
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


def _renumbered(table: Any, before: int) -> Any:
    import pyarrow as pa

    named = [name for name in ("key", "index", "same_as") if name in table.schema.names]
    columns = {name: table.column(name).to_pylist() for name in named}
    keys, places, same = columns["key"], columns["index"], columns.get("same_as")
    for number, (key, place) in enumerate(zip(keys, places, strict=True)):
        if place is not None and key == stamp(place):
            keys[number], places[number] = stamp(before + place), before + place
            if same is not None and same[number] is not None:
                same[number] = _later(same[number], before)
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        field = table.schema.field(at)
        table = table.set_column(at, field, pa.array(values, field.type))
    return table


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
