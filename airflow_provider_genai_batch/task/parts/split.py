"""Divides an input into parts: several files stay as they are, a single file is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import to_json

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.printable import number_of
from airflow_provider_genai_batch.requests.tables.csv_file import csv_rows
from airflow_provider_genai_batch.requests.tables.parquet_file import check_pyarrow
from airflow_provider_genai_batch.requests.tables.rows import jsonl_rows, unzipped
from airflow_provider_genai_batch.task.files.files import (
    by_connection,
    matching_files,
    published,
    read_chunks,
    seekable,
    spool,
)
from airflow_provider_genai_batch.task.files.objects import expanded
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.parts.division import Division
from airflow_provider_genai_batch.task.parts.places import Places, is_dataset
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.parameters.sources import read_source, table_format


def addresses(src: Any) -> list[str]:
    """Return the addresses that `src` names; patterns are not expanded yet.

    Raises:
        InputError: one is not the address of a file, or names a table in BigQuery.
    """
    given = [src] if isinstance(src, str) or not isinstance(src, (list, tuple)) else [*src]
    found = [str(one) if isinstance(one, Path) else one for one in given]
    for one in found:
        if not isinstance(one, str) or one.startswith(("files/", "bq://")):
            msg = (
                f"a group divides files, and src has {type(one).__name__ if not isinstance(one, str) else one}: give "
                "a path, a URI, a pattern with *, or a list of them. BigQuery divides the rows of a table by itself: "
                "give one task src=bq://…."
            )
            raise InputError(msg)
    if not found:
        msg = "src is an empty list: give a path, a URI, a pattern with *, or a list of them."
        raise InputError(msg)
    return found


def files_of(src: Any, client: GenAIBatchClient) -> list[str]:
    """Return the files that `src` names at this time, in order.

    Raises:
        InputError: no file matches, or they cannot be listed.
    """
    files: list[str] = []
    for given in addresses(src):
        if by_connection(given, client):
            files += expanded(client, given)
        elif "*" not in given:
            files.append(given)
        elif found := matching_files(given, client):
            files += found
        else:
            msg = f"no file matches {given}: check the folder and the pattern."
            raise InputError(msg)
    return files


def split(
    files: list[str],
    client: GenAIBatchClient,
    *,
    model: str,
    rows: bool,
    division: Division,
    places: Places,
) -> list[str | list[str]]:
    """Divide an input into parts.

    Args:
        files: what `files_of` returned.
        client: the client of the task's connection.
        model: the model of the requests, which are checked as they are before they are sent.
        rows: whether the files are tables, and a prompt makes a request of each row.
        division: how many parts, or how large.
        places: the addresses for the parts of a single file.

    Returns:
        ``src`` of each part, in the order of the input.

    Raises:
        InputError, RequestError: the input cannot be divided in this way, or a line is not a valid request.
        ConfigurationError: there is one file, and neither the number of parts nor of rows is given.
        OSError: a part cannot be written.
    """
    if len(files) > 1:
        together = not rows and all(by_connection(file, client) for file in files)
        groups = division.groups(files, together=together)
        return [group if len(group) > 1 else group[0] for group in groups]
    (file,) = files
    division.check_one(file)
    if rows and table_format(file) == "parquet":
        return [*_parquet(file, client, division, places)]
    with spool() as lines:
        count = _spool_rows(file, client, lines) if rows else _spool_requests(file, client, model, lines)
        lines.seek(0)
        return [*_cut(lines, division.sizes(count), client, places)]


def check_others(places: Places, parts: int, client: GenAIBatchClient) -> None:
    """Refuse a dataset that also has files of other runs, before anything is paid.

    Raises:
        InputError: it has such files.
        OSError: the folder cannot be listed.
    """
    if not is_dataset(places.results_uri):
        return
    own = {places.rows(number) for number in range(parts)}
    others = sorted({*matching_files(places.results_uri, client)} - own)
    if others:
        msg = (
            f"results_uri also matches {number_of(len(others), 'other file')}, none of this run's {parts} parts, such "
            f"as {others[0]}: readers of the dataset would get those rows too. Give each run a folder, for example "
            "with {{ ds }}, or delete what is there. Nothing was submitted."
        )
        raise InputError(msg)


def _spool_requests(file: str, client: GenAIBatchClient, model: str, lines: BinaryIO) -> int:
    """Check all requests of a file before any is paid for, and write each with its key. Return their number."""
    model = read_model(model, client.config.backend)
    with read_input(client, read_source(file), model=model, several_jobs=True) as prepared:
        if prepared.lines is None:
            msg = (
                f"{file} cannot be read here, so it cannot be divided: give a file that the worker can read."
            )
            raise InputError(msg)
        prepared.lines.seek(0)
        lines.writelines(prepared.lines)
        return prepared.requests or 0


def _spool_rows(file: str, client: GenAIBatchClient, lines: BinaryIO) -> int:
    kind, count = table_format(file), 0
    if kind is None:
        msg = f"{file} does not name a table: with prompt src ends in .csv, .jsonl (both also with .gz) or .parquet."
        raise InputError(msg)
    read = csv_rows if kind == "csv" else jsonl_rows
    for rows in read(unzipped(read_chunks(file, client), file), file):
        lines.writelines(to_json(row) + b"\n" for row in rows)
        count += len(rows)
    if not count:
        msg = f"{file} holds no rows: there is nothing to ask"
        raise InputError(msg)
    return count


def _cut(lines: BinaryIO, sizes: Iterable[int], client: GenAIBatchClient, places: Places) -> Iterator[str]:
    for number, size in enumerate(sizes):
        uri = places.requests(number, "jsonl")
        with published(uri, client) as draft:
            assert draft.stream is not None  # noqa: S101 - it was just opened
            draft.stream.writelines(islice(lines, size))
        yield uri


def _parquet(file: str, client: GenAIBatchClient, division: Division, places: Places) -> Iterator[str]:
    """Cut a Parquet file by its rows; the parts keep its column types."""
    check_pyarrow(file)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with seekable(file, client) as stream, pq.ParquetFile(stream, pre_buffer=False) as table:
            if not table.metadata.num_rows:
                msg = f"{file} holds no rows: there is nothing to ask"
                raise InputError(msg)
            batches, rest = table.iter_batches(1024, use_threads=False), None
            for number, size in enumerate(division.sizes(table.metadata.num_rows)):
                uri, missing = places.requests(number, "parquet"), size
                with (
                    published(uri, client) as draft,
                    pq.ParquetWriter(draft.stream, table.schema_arrow) as out,
                ):
                    while missing:
                        batch = next(batches) if rest is None else rest
                        rest = batch.slice(missing) if batch.num_rows > missing else None
                        out.write_batch(batch.slice(0, missing))
                        missing -= min(missing, batch.num_rows)
                yield uri
    except pa.ArrowException as error:
        msg = f"{file} cannot be read as Parquet: {error}"
        raise InputError(msg) from error
