"""Divides an input into parts: several files stay as they are, a single file is cut."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO

from pydantic_core import to_json

from airflow_provider_genai_batch.address import address
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError, RequestError, UnsupportedError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.printable import number_of
from airflow_provider_genai_batch.requests.line_kind import parse
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
from airflow_provider_genai_batch.task.files.overlap import refuse_overlap
from airflow_provider_genai_batch.task.inputs.read import read_input
from airflow_provider_genai_batch.task.parts.division import Division
from airflow_provider_genai_batch.task.parts.places import Places, is_dataset
from airflow_provider_genai_batch.task.settings.order import Order, read_order
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.lines.framing import Framer
from airflow_provider_genai_batch.wire.parameters.sources import read_source, table_format
from airflow_provider_genai_batch.wire.prompts.embed import takes_text_only
from airflow_provider_genai_batch.wire.tables.sql import is_table
from airflow_provider_genai_batch.wire.values import mapping

log = logging.getLogger(__name__)


def addresses(src: Any) -> list[str]:
    """Return the addresses that `src` names; patterns are not expanded yet.

    Raises:
        InputError: one is not the address of a file, or names a table in BigQuery.
    """
    # A mapped task returns a sequence that is no list.
    several = isinstance(src, Sequence) and not isinstance(src, (str, bytes))
    found = [address(one) for one in (src if several else [src])]
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


def files_of(src: Any, client: GenAIBatchClient, results_uri: str) -> list[str]:
    """Return the files that `src` names at this time, in order.

    Raises:
        ConfigurationError: the rows would land among them, where the next run would read them as its input.
        InputError: no file matches, or they cannot be listed.
    """
    files: list[str] = []
    for given in addresses(src):
        refuse_overlap(BatchSource(path=given), results_uri)
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
    order: Order | None = None,
) -> list[str | list[str]]:
    """Divide an input into parts.

    Args:
        files: what `files_of` returned.
        client: the client of the task's connection.
        model: the model of the requests, which are checked as they are before they are sent.
        rows: whether the files are tables, and a prompt makes a request of each row.
        division: how many parts, or how large.
        places: the addresses for the parts of a single file.
        order: what `order_of` returned for a single file.

    Returns:
        ``src`` of each part, in the order of the input.

    Raises:
        InputError, RequestError: the input cannot be divided in this way, or a line is not a valid request.
        ConfigurationError: there is one file, and neither the number of parts nor of rows is given.
        OSError: a part cannot be written.
    """
    if len(files) > 1:
        stay_apart = is_table(places.results_uri) or is_dataset(places.results_uri)
        if stay_apart and not rows and not takes_text_only(model, client.config.backend):
            _refuse_without_keys(files, client)
        together = not rows and all(by_connection(file, client) for file in files)
        groups = division.groups(files, together=together)
        return [group if len(group) > 1 else group[0] for group in groups]
    (file,) = files
    division.check_one(file)
    if rows and order is not None:
        with order.read(client, keeps_media=True):
            log.info("Each row of %s makes a request that can be sent.", file)
    if rows and table_format(file) == "parquet":
        return [*_parquet(file, client, division, places)]
    with spool() as lines:
        count = (
            _spool_rows(file, client, lines) if rows else _spool_requests(file, client, model, lines, order)
        )
        lines.seek(0)
        return [*_cut(lines, division.sizes(count), client, places)]


def order_of(file: str, client: GenAIBatchClient, asked: Mapping[str, Any]) -> Order | None:
    """Return the job parameters that decide what the requests of a single file are; None: they are whole.

    Args:
        file: the file, which the worker reads.
        client: the client of the task's connection.
        asked: ``model``, ``prompt``, ``key``, ``columns``, ``request_defaults`` and ``output_type`` of the tasks of
            its parts.

    Raises:
        InputError: one of them is invalid, or the service does not support it.
    """
    if all(asked[name] is None for name in ("prompt", "request_defaults", "output_type")):
        return None
    return read_order(client.config, src=BatchSource(path=file), **asked)


def refuse_defaults_in_place(file: str, places: Places, client: GenAIBatchClient) -> None:
    """Refuse `request_defaults` where Vertex AI reads the parts in place, so that a part's task adds nothing to them.

    Raises:
        UnsupportedError: the parts are in Cloud Storage.
    """
    part = places.requests(0, "jsonl")
    if client.config.backend is Backend.VERTEX and part.startswith("gs://"):
        msg = (
            f"Vertex AI reads the parts of {file} in Cloud Storage as they are, so request_defaults cannot be added: "
            "put the fields into the requests, or let prompt make the requests from rows. Nothing was submitted."
        )
        raise UnsupportedError(msg)


def _refuse_without_keys(files: list[str], client: GenAIBatchClient) -> None:
    """Refuse requests without keys: those of each file would get the same ones, and their rows keep them.

    Raises:
        InputError: the first line of a file has no key. The others are not read.
    """
    for file in files:
        try:
            (line, *_), *_ = islice(Framer().blocks(read_chunks(file, client)), 1)
            row = parse(line)
        except (RequestError, ValueError):  # the part's own task says what is wrong with it
            continue
        keys = [row.get("key"), row.get("custom_id"), mapping(row.get("metadata")).get("key")]
        if not any(key is not None for key in keys):
            msg = (
                f"line 1 of {file} has no key, and requests in several files need keys of their own where their rows "
                "land in a table or a dataset: without them, the requests of each file get the same ones (r00000000, "
                '…). Write a "key" into each line, or let rows land in one file. Nothing was submitted.'
            )
            raise InputError(msg)


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


def _spool_requests(
    file: str, client: GenAIBatchClient, model: str, lines: BinaryIO, order: Order | None
) -> int:
    """Check all requests of a file before any is paid for, and write each with its key. Return their number.

    Fields that `order` adds are written, too: the service may read the parts itself.
    """
    defaults = None if order is None else order.request_defaults
    source = read_source(file) if order is None else order.source
    model = read_model(model, client.config.backend)
    with read_input(client, source, model=model, request_defaults=defaults, several_jobs=True) as prepared:
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
