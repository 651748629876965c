"""A snapshot of a table's rows, and the requests made from it, as tables in the staging dataset."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.client.storage.queries import Queries
from airflow_provider_genai_batch.client.storage.table_jobs import Statement
from airflow_provider_genai_batch.exceptions import CallError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.jobs.identity import Identity, merge_labels
from airflow_provider_genai_batch.models.manifest.table_jobs import TableJobs
from airflow_provider_genai_batch.wire.tables.answers import Answers
from airflow_provider_genai_batch.wire.tables.sql import DatasetName, TableName, read_table
from airflow_provider_genai_batch.wire.tables.statements import Requests, Slot, options
from airflow_provider_genai_batch.wire.tables.types import Column

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient

log = logging.getLogger(__name__)

DAYS = 30
"""How long tables of a run are kept: longer than any job runs, and than people need to examine a failure."""


@dataclass(frozen=True)
class StagedTable:
    """A snapshot of rows, from which requests are made.

    Attributes:
        inputs: the table of the snapshot.
        pieces: the JSON of a request, with slots for the columns that it uses.
        types: the types of the columns.
        answers: the columns of the answers, which decide whether an answer is valid.
        location: the BigQuery location of all tables.
        labels: the labels of DAG, task and run.
        cut_off_is_ok: see `Answers`.
        shard: number and count, if the rows are divided among several jobs.
        answered: tables with the answers of earlier rounds.
        at_hand: the table that says which rows need a job; None: all do.
        sample: see `Requests`.
    """

    inputs: TableName
    pieces: Sequence[str | Slot] = field(repr=False)
    types: Mapping[str, str] = field(repr=False)
    answers: Sequence[Column] | None = field(repr=False)
    location: str
    labels: Mapping[str, str]
    cut_off_is_ok: bool = True
    shard: tuple[int, int] | None = None
    answered: tuple[str, ...] = ()
    at_hand: TableName | None = None
    sample: tuple[int, bool] | None = None

    def place(self, client: GenAIBatchClient, identity: Identity) -> BatchSource:
        """Make the table of requests, once per identity.

        Raises:
            ApiError: BigQuery refused.
            TransportError: BigQuery could not be reached.
        """
        queries = client.queries
        table = requests_name(self.inputs.place, identity.tag)
        labels = merge_labels(self.labels, identity.labels())
        before = (
            answers_of(queries, self.answered, self.answers, self.cut_off_is_ok) if self.answered else None
        )
        which = (self.shard, before, self.at_hand, self.sample)
        requests = Requests(self.inputs, self.pieces, self.types, *which)
        queries.run(
            Statement(
                requests.create(table, options(labels, DAYS)),
                table.table,
                self.location,
                labels,
                makes=table,
                again=True,
            )
        )
        return BatchSource(bigquery_uri=table.uri)

    def lines(self, client: GenAIBatchClient) -> Iterator[tuple[Any, ...]]:
        """Yield keys and requests, in any order.

        Raises:
            ApiError: BigQuery refused.
            TransportError: BigQuery could not be reached.
        """
        sql = Requests(self.inputs, self.pieces, self.types).select()
        yield from client.queries.stream(sql, self.location, self.labels)

    def shards(self, requests: int, most: int | None) -> list[StagedTable]:
        """Divide the rows among several jobs, by a hash of their keys, so that the shards have nearly the same size.

        Args:
            requests: the number of requests.
            most: the most requests of a job; None: no limit.
        """
        if most is None or requests <= most:
            return [self]
        count = -(-requests // max(1, most * 9 // 10))
        return [replace(self, shard=(number, count)) for number in range(count)]


def answers_of(
    queries: Queries, tables: Sequence[str], columns: Sequence[Column] | None, cut_off_is_ok: bool
) -> Answers:
    """Return the answers in tables of jobs, in the order of the jobs. The type of each response column is looked up.

    Raises:
        ApiError: a table does not exist (yet), or may not be read.
        TransportError: BigQuery could not be reached.
    """
    names = [read_table(uri, "The output of a job") for uri in tables]
    spelled = [(one, queries.facts_of(one).columns.get("response") == "STRING") for one in names]
    return Answers(spelled, columns, cut_off_is_ok)


def jobs_of(queries: Queries, inputs: TableName, requests: Iterable[str] = ()) -> TableJobs:
    """Return the jobs in BigQuery for the rows of a snapshot, with the bytes billed.

    Args:
        queries: the object that ran the last of these jobs.
        inputs: the snapshot.
        requests: names of tables of requests. The jobs that made them have the same names.
    """
    try:
        location = queries.location_of(inputs.place)
        for name in (inputs.table, *requests):
            queries.look_up(name, location)
    except CallError as error:
        log.warning("Not all jobs of this task in BigQuery are known: %s", error)
    return TableJobs(inputs=inputs.uri, jobs=tuple(queries.billed), bytes_billed=sum(queries.billed.values()))


def requests_name(staging: DatasetName, tag: str) -> TableName:
    """Return the name of the table of requests of a job, by `Identity.tag`."""
    return staging.table(f"genai_requests_{tag.replace('-', '_')}")


def at_hand_name(staging: DatasetName, identity: Identity) -> TableName:
    """Return the name of the table of existing answers for an input."""
    return staging.table(f"genai_asked_{identity.tag.replace('-', '_')}")


def snapshot_name(staging: DatasetName, tag: str) -> TableName:
    """Return the name of the table that keeps a snapshot."""
    return staging.table(f"genai_inputs_{tag}")
