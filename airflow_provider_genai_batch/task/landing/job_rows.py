"""Reads the rows of jobs, if necessary several times, until it is certain which of them count."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from itertools import chain
from typing import BinaryIO, cast

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import TransportError
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.models.jobs.identity import ask_of
from airflow_provider_genai_batch.models.jobs.job_totals import BATCH
from airflow_provider_genai_batch.requests.tables.columns import Columns
from airflow_provider_genai_batch.results.column_types import ColumnTypes
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.digest import Summed
from airflow_provider_genai_batch.results.gates import Gates
from airflow_provider_genai_batch.results.keys.key_set import KeySet
from airflow_provider_genai_batch.results.read import Piece
from airflow_provider_genai_batch.results.sinks import Write, form_of, opened
from airflow_provider_genai_batch.results.write import land
from airflow_provider_genai_batch.task.journal.journal import journaled_rows
from airflow_provider_genai_batch.task.landing.asks import job_tag, jobs_by_ask
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.landing.media import MediaFolder
from airflow_provider_genai_batch.task.reuse.at_hand import AtHand
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRows
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.schemas.output_type import output_schema

log = logging.getLogger(__name__)
_EMBEDDING = {"type": "array", "items": {"type": "number"}}
_READINGS = 4
"""How often rows are read before their number is called uncertain."""


def write_rows(
    client: GenAIBatchClient,
    jobs: Sequence[BatchJob],
    landing: Landing,
    out: BinaryIO | None,
    media: MediaFolder | None = None,
) -> RowCounter:
    """Read rows, count them, and write them to `out`, and their pictures and sound to `media`.

    Rows are read again if their keys have to be remembered to decide which rows count, or if fewer rows came than the
    service has counted, because a download that was cut off can look complete. If the second reading gives the same
    number, the service has not written more rows. If rows are late, the caller looks again later.

    Raises:
        TransportError: the number of rows was different each time.
    """
    counted = sum(job.counts.finished for job in jobs) if landing.partly else 0
    sums, before = True, -1
    answered: dict[int, KeySet] = {}
    for _ in range(_READINGS):
        known = landing.keys() if landing.needs_places or not sums else None
        if out is not None:
            out.seek(0)
            out.truncate()
        tally = _read(client, jobs, landing, out, media, known, answered, sums=sums)
        whole = tally.rows_read >= counted or tally.rows_read == before
        if tally.sure and whole:
            return tally
        if not whole:
            log.warning(
                "The service has counted %d rows and %d arrived; reading them again.",
                counted,
                tally.rows_read,
            )
        sums, before = sums and tally.sure, tally.rows_read
    msg = f"the service has counted {counted} rows, but returns a different number each time"
    raise TransportError(msg)


def _read(
    client: GenAIBatchClient,
    jobs: Sequence[BatchJob],
    landing: Landing,
    out: BinaryIO | None,
    media: MediaFolder | None,
    known: Iterable[str] | None,
    answered: dict[int, KeySet],
    *,
    sums: bool = True,
) -> RowCounter:
    """Read the rows of jobs, group by group: within a group, a key identifies one request.

    `answered` keeps the keys that have an answer, by the number of the group.
    """
    tallies = []
    gates = Gates(landing.checks) if landing.checks else None
    watch = None if gates is None else gates.watch
    if landing.meter is not None:
        landing.meter.begin()
        watch = landing.meter.watch
    summed = None if out is None else Summed(out)
    with nullcontext() if summed is None else _sink(landing, jobs, cast("BinaryIO", summed)) as write:
        for number, rounds in enumerate(jobs_by_ask(jobs, together=landing.facts.requests is not None)):
            has_one = answered.setdefault(number, KeySet())
            tally = landing.tally(next(filter(None, rounds), []), known, sums=sums, answered=has_one)
            reading = landing.reading(tally.dropped, keep_media=landing.media_uri is not None)
            sources: list[Iterator[Piece]] = [_rows(client, some, tally, reading, landing) for some in rounds]
            if landing.at_hand is not None:
                sources[0] = chain(sources[0], _earlier(landing.at_hand, tally))
            land(
                sources,
                tally,
                write,
                ordered=landing.ordered,
                validate=landing.validate,
                carry=landing.carry,
                store=media,
                watch=watch,
            )
            tallies.append(tally)
    whole = reduce(RowCounter.absorb, tallies)
    whole.checked = gates.found(whole.counts) if gates else ()
    whole.digest = str(summed.digest) if summed and (whole.rows_read or whole.reused) else None
    return whole


def _sink(landing: Landing, jobs: Sequence[BatchJob], out: BinaryIO) -> AbstractContextManager[Write]:
    """Open the function that writes lines of rows."""
    uri = landing.results_uri
    if uri and landing.loads is not None:
        return nullcontext(landing.loads.sink(out).write)
    form = form_of(uri) if uri else "jsonl"
    return opened(out, form, _types(landing, jobs) if form == "parquet" else None)


def _types(landing: Landing, jobs: Sequence[BatchJob]) -> ColumnTypes:
    """Return the types of columns, as far as they are known before rows are read."""
    output = None
    if landing.output_type is not None:
        output = output_schema(landing.output_type)
    elif jobs and all(task_of(job.model or "") is Task.EMBED for job in jobs):
        output = _EMBEDDING
    return ColumnTypes(output, landing.carry.schema if isinstance(landing.carry, Columns) else None)


def _earlier(at_hand: AtHand, tally: RowCounter) -> Iterator[Piece]:
    tally.begin_reused()
    yield from at_hand.earlier()


def _rows(
    client: GenAIBatchClient,
    jobs: Sequence[BatchJob],
    tally: RowCounter,
    reading: Reading,
    landing: Landing,
) -> Iterator[Piece]:
    tags: set[str] = set()
    for job in jobs:
        if job_tag(job) in tags or (tags and ask_of(job.display_name) is None):
            tally.begin_again()  # its requests may be those of an earlier job
        tags.add(job_tag(job))
        tally.begin_job(job.name)
        rows: Iterator[Piece]
        if job.output.journal is not None:
            rows = journaled_rows(client, job, reading)
        else:
            rows = _in_batch(landing.at(job.name, client), job, reading)
        yield from rows if landing.at_hand is None else landing.at_hand.completed(job, rows)


def _in_batch(client: GenAIBatchClient, job: BatchJob, reading: Reading) -> Iterator[Piece]:
    for piece in client.row_pieces(job, reading):
        if isinstance(piece, UsualRows):
            for row in piece.rows:
                row.tier = BATCH
        else:
            piece["tier"] = BATCH
        yield piece
