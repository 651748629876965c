"""The landing of rows: read, counted, and written where the task wants them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain
from typing import Any, BinaryIO, Protocol, cast

from airflow_provider_genai_batch.checks import Check
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError, ResultsNotWritten, TransportError
from airflow_provider_genai_batch.flows.outcome.collect import behind
from airflow_provider_genai_batch.flows.outcome.messages import next_attempt
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.models.identity import ask_of, round_of, tag_of
from airflow_provider_genai_batch.models.job import total_of
from airflow_provider_genai_batch.models.share import BATCH
from airflow_provider_genai_batch.requests.tables.columns import Columns
from airflow_provider_genai_batch.results.column_types import ColumnTypes
from airflow_provider_genai_batch.results.digest import Summed
from airflow_provider_genai_batch.results.gates import Gates
from airflow_provider_genai_batch.results.key_set import KeySet
from airflow_provider_genai_batch.results.row_counter import RowCounter
from airflow_provider_genai_batch.results.sinks import form_of, opened
from airflow_provider_genai_batch.results.write import Carry, Validate, land
from airflow_provider_genai_batch.task.files.files import Draft, published
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.journal.journal import journaled_rows
from airflow_provider_genai_batch.task.landing.media import MediaFolder
from airflow_provider_genai_batch.task.reuse.at_hand import AtHand
from airflow_provider_genai_batch.task.tables.land import TableLanding
from airflow_provider_genai_batch.wire.answers import chat as chat_answers
from airflow_provider_genai_batch.wire.answers import claude as claude_answers
from airflow_provider_genai_batch.wire.answers import gemini as gemini_answers
from airflow_provider_genai_batch.wire.answers.answer import AnswerSettings, PlainRow, Reading
from airflow_provider_genai_batch.wire.answers.members import Dropped
from airflow_provider_genai_batch.wire.schemas.output_type import output_schema
from airflow_provider_genai_batch.wire.services.create import task_of

log = logging.getLogger(__name__)

_LEFT_OUT = gemini_answers.LEFT_OUT | claude_answers.LEFT_OUT | chat_answers.LEFT_OUT
_EMBEDDING = {"type": "array", "items": {"type": "number"}}
_READINGS = 4
"""Of the rows of jobs, before their number is called uncertain."""


@dataclass(frozen=True)
class InputFacts:
    """What is known of the requests, small enough for a deferral."""

    requests: int | None = None
    keyed: bool = False
    stamped: bool = False
    """All keys were stamped here, so they are known without the input."""
    key_sum: int | None = None
    """Stands for the set of keys, see `requests.duplicate_keys.DuplicateKeyFinder`."""
    for_type: bool = False
    """One of the requests has a response schema."""
    content: str | None = None
    """Digest of all lines: tells whether an input that is read again is what it was."""
    snapshot: str | None = None
    """The table in which rows of a table in BigQuery are kept."""

    @classmethod
    def of(cls, prepared: PreparedInput) -> InputFacts:
        """Keep of an input what its rows need."""
        stamped = prepared.stamped > 0 and prepared.stamped == prepared.requests
        content = prepared.content if isinstance(prepared.content, str) else None
        snapshot = prepared.table.inputs.table if prepared.table is not None else None
        return cls(
            prepared.requests,
            prepared.keyed,
            stamped,
            prepared.key_sum,
            prepared.asks_for_type,
            content,
            snapshot,
        )

    def joins(self, job: BatchJob) -> bool:
        """Whether a job's rows can be counted beside those of another job of the same requests.

        Their keys tell which rows are of one request. Rows in BigQuery are counted by their tables, also those of a job
        that has yet to write its own.
        """
        table = job.output.bigquery_table or (job.destination and job.destination.bigquery_uri)
        return self.requests is not None and self.keyed and not table


class Meter(Protocol):
    """What looks at rows that are only counted."""

    def begin(self) -> None:
        """Begin anew."""
        ...

    def watch(self, rows: Iterable[PlainRow]) -> Iterator[PlainRow]:
        """Pass rows on."""
        ...


@dataclass(frozen=True)
class Landing:
    """How rows are wanted."""

    results_uri: str | None = None
    media_uri: str | None = None
    """Folder of pictures and sound; None: they are not kept."""
    max_failed_rows: float = 0
    facts: InputFacts = InputFacts()
    keys: Callable[[], Iterable[str] | None] = field(default=lambda: None)
    """Gives the keys of all requests, in order, where the rows do not tell enough; None: they are not to be had."""
    ordered: bool = False
    """In the order of the input."""
    validate: Validate | None = None
    """Checks the text of an answer."""
    output_type: Any = None
    """What `validate` makes of answers: columns have its type."""
    carry: Carry | None = None
    """Gives columns of the input row at an index."""
    submits: bool = True
    """The task submits jobs itself, so that its next attempt may ask again; errors say what it does."""
    answers: AnswerSettings = field(default_factory=AnswerSettings)
    partly: bool = True
    """Write rows also if fewer came than the service has counted. Else they are only counted then, and what stands at
    `results_uri` stays."""
    checks: tuple[Check, ...] = ()
    """Of all rows together."""
    on_check: str = "fail"
    """What comes of one that fails, ``fail`` or ``warn``."""
    meter: Meter | None = None
    """Measures the rows, which are only counted then, whatever `results_uri` says."""
    stream: BinaryIO | None = None
    """Where rows are written as JSONL if there is no `results_uri`."""
    at_hand: AtHand | None = None
    """What needs no job: rows of earlier results, and of requests that are equal to another."""
    into: TableLanding | None = None
    """The table in BigQuery that is written of rows there; None: they stay as the service wrote them."""

    @property
    def result_uri(self) -> str | None:
        """The address of the table in BigQuery that is written."""
        return None if self.into is None else self.into.ask.result.uri

    def without(self, requests: int) -> Landing:
        """Return the same for the other jobs, where some had so many of the requests and their rows stay elsewhere."""
        if not requests or self.facts.requests is None:
            return self
        return replace(self, facts=replace(self.facts, requests=self.facts.requests - requests))

    def reading(self, dropped: Dropped, *, keep_media: bool) -> Reading:
        """Say how answers are to be read, and where to count what lands nowhere."""
        typed = self.validate is not None or self.facts.for_type
        return self.answers.reading(dropped, typed=typed, keep_media=keep_media)

    @property
    def needs_places(self) -> bool:
        """Whether the keys are needed from the start, to know where in the input a row belongs."""
        facts, uri = self.facts, self.results_uri
        return bool(uri) and facts.keyed and not facts.stamped and (self.ordered or self.carry is not None)

    def tally(
        self,
        jobs: Sequence[BatchJob],
        known: Iterable[str] | None,
        *,
        sums: bool = True,
        answered: KeySet | None = None,
    ) -> RowCounter:
        """Begin to count the rows of jobs of the first round.

        Args:
            jobs: together they had all requests; of two that asked the same, one counts.
            known: the keys.
            sums: let the sum of the keys tell whether all came; else those that came are remembered.
            answered: see `RowCounter`.
        """
        facts = self.facts
        counter = RowCounter(
            expected=total_of(_one_of_twins(jobs)) if facts.requests is None else facts.requests,
            keyed=facts.keyed,
            stamped=facts.stamped,
            key_sum=facts.key_sum if sums else None,
            known=known,
            answered=answered,
        )
        if self.at_hand is not None:
            counter.reused = counter.same = 0
        return counter


def land_jobs(client: GenAIBatchClient, jobs: Sequence[BatchJob], landing: Landing) -> RowCounter:
    """Read the rows of jobs, count them, and write them where they are wanted.

    Args:
        client: of the task's connection.
        jobs: of all rounds, in any order.
        landing: how rows are wanted.

    Raises:
        ResultsNotWritten: they cannot be written there.
        InputError: none of them has a key, and each is to be joined to its request.
        CallError: they cannot be read, or not to their end.
    """
    uri, media_uri = (landing.results_uri, landing.media_uri) if landing.meter is None else (None, None)
    try:
        with published(uri, client) if uri else nullcontext(Draft(landing.stream)) as draft:
            media = MediaFolder(media_uri, client) if media_uri else None
            tally = write_rows(client, jobs, landing, draft.stream, media)
            _check_joined(jobs, tally, landing)
            late = [] if landing.partly else behind(jobs, tally)
            draft.good = (tally.rows_read > 0 or bool(tally.reused)) and not late
    except (OSError, sqlite3.Error) as error:
        names, place = [job.name for job in jobs], uri or landing.media_uri
        if not jobs:
            msg = (
                f"The rows of earlier results could not be written to {place}: {error}. No job was needed for them, "
                "and nothing is billed. The next attempt writes them again."
            )
            raise ResultsNotWritten(msg, job_names=()) from error
        msg = (
            f"The rows of {', '.join(names)} could not be written to {place}: {error}. {', '.join(names)} has ended "
            f"and its answered rows are paid for; they are still at the service. {next_attempt(jobs, landing.submits)}"
        )
        raise ResultsNotWritten(msg, job_names=names) from error
    if late:
        log.warning("Fewer rows arrived than the service has counted (%s); reading again.", "; ".join(late))
    else:
        tell_what_did_not_land(tally)
    return tally


def _check_joined(jobs: Sequence[BatchJob], tally: RowCounter, landing: Landing) -> None:
    """Refuse to call requests missing whose rows came without keys, of jobs that somebody else submitted.

    Their place in the file says nothing: the services send rows in any order.

    Raises:
        InputError: no row has a key to join it to its request by.
    """
    if not landing.submits and tally.rows_read and tally.unjoined == tally.rows_read:
        names = ", ".join(job.name for job in jobs)
        msg = (
            f"None of the {tally.rows_read} rows of {names} has a key, so none can be joined to a request of src. "
            "Nothing was landed; the rows are paid for, and are still at the service. Leave src out: then the rows "
            "land in the order in which the service has them."
        )
        raise InputError(msg)


def write_rows(
    client: GenAIBatchClient,
    jobs: Sequence[BatchJob],
    landing: Landing,
    out: BinaryIO | None,
    media: MediaFolder | None = None,
) -> RowCounter:
    """Read rows, count them, and write them to `out`, and their pictures and sound to `media`.

    They are read again where only their keys tell which count, or fewer came than the service has counted: a download
    can be cut off and look whole. Rows that are as few the second time have not been written. Where rows are late, the
    caller looks again after a while.
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
    """Read ask after ask: a key is one within it. What is `answered` is kept by the number of the ask."""
    tallies = []
    gates = Gates(landing.checks) if landing.checks else None
    watch = None if gates is None else gates.watch
    if landing.meter is not None:
        landing.meter.begin()
        watch = landing.meter.watch
    form = form_of(landing.results_uri) if landing.results_uri else "jsonl"
    summed = None if out is None else Summed(out)
    types = _types(landing, jobs) if form == "parquet" else None
    with nullcontext() if summed is None else opened(cast("BinaryIO", summed), form, types) as write:
        for number, rounds in enumerate(_asks(jobs, together=landing.facts.requests is not None)):
            has_one = answered.setdefault(number, KeySet())
            tally = landing.tally(next(filter(None, rounds), []), known, sums=sums, answered=has_one)
            reading = landing.reading(tally.dropped, keep_media=landing.media_uri is not None)
            sources = [_rows(client, some, tally, reading, landing.at_hand) for some in rounds]
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


def _types(landing: Landing, jobs: Sequence[BatchJob]) -> ColumnTypes:
    """Say of which types columns are, as far as that is known before rows are read."""
    output = None
    if landing.output_type is not None:
        output = output_schema(landing.output_type)
    elif jobs and all(task_of(job.model or "") is Task.EMBED for job in jobs):
        output = _EMBEDDING
    return ColumnTypes(output, landing.carry.schema if isinstance(landing.carry, Columns) else None)


def _earlier(at_hand: AtHand, tally: RowCounter) -> Iterator[PlainRow]:
    tally.begin_reused()
    yield from at_hand.earlier()


def _rows(
    client: GenAIBatchClient,
    jobs: Sequence[BatchJob],
    tally: RowCounter,
    reading: Reading,
    at_hand: AtHand | None,
) -> Iterator[PlainRow]:
    tags: set[str] = set()
    for job in jobs:
        if _tag(job) in tags or (tags and ask_of(job.display_name) is None):
            tally.begin_again()  # it may have asked what one before it did
        tags.add(_tag(job))
        tally.begin_job(job.name)
        journaled = job.output.journal is not None
        rows = journaled_rows(client, job, reading) if journaled else _in_batch(client, job, reading)
        yield from rows if at_hand is None else at_hand.completed(job, rows)


def _in_batch(client: GenAIBatchClient, job: BatchJob, reading: Reading) -> Iterator[PlainRow]:
    for row in client.plain_rows(job, reading):
        row["tier"] = BATCH
        yield row


def _tag(job: BatchJob) -> str:
    """Return what two jobs share that asked the same: a create call whose answer was lost may have made both."""
    return tag_of(job.display_name) if ask_of(job.display_name) else job.name


def _one_of_twins(jobs: Sequence[BatchJob]) -> list[BatchJob]:
    return [*{_tag(job): job for job in jobs}.values()]


def _asks(jobs: Sequence[BatchJob], *, together: bool) -> list[list[list[BatchJob]]]:
    """Return jobs by what was asked, and then by round."""
    asks: dict[str, dict[int, list[BatchJob]]] = {"": {0: []}} if together and not jobs else {}
    for job in jobs:
        # A job that no task of this package created asks something of its own.
        ask = "" if together else ask_of(job.display_name) or job.name
        asks.setdefault(ask, {}).setdefault(round_of(job.display_name), []).append(job)
    return [[rounds.get(number, []) for number in range(max(rounds) + 1)] for rounds in asks.values()]


def tell_what_did_not_land(tally: RowCounter) -> None:
    """Say which rows were not landed, which requests have none, and what of answers is in no row."""
    for kind, count, what in (
        ("duplicates", tally.duplicates, "rows had a key that came before and were dropped"),
        ("unjoined", tally.unjoined, "rows came without a key and could not be joined to a request"),
        ("unknown", tally.unknown, "rows had a key that no request had and were dropped"),
        ("missing", tally.counts.missing, "requests have no row"),
    ):
        keys = tally.samples.get(kind)
        more = f" and {count - len(keys)} more" if keys and count > len(keys) else ""
        if count:
            log.warning("%d %s%s.", count, what, f": {', '.join(keys)}{more}" if keys else "")
    if tally.dropped:
        kinds = ", ".join(f"{number} x {kind}" for kind, number in tally.dropped.most_common())
        level = logging.INFO if tally.dropped.keys() <= _LEFT_OUT else logging.WARNING
        files = "inlineData" in tally.dropped and "media_uri takes pictures and sound (inlineData) as files; "
        said = (
            'These fields of the answers are not in the rows: %s. %skeep="response" lands them in the rows.'
        )
        log.log(level, said, kinds, files or "")
