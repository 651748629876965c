"""How rows are wanted, and the landing of them: read, counted, written where the task wants them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import reduce
from typing import BinaryIO

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ResultsNotWritten
from airflow_provider_genai_batch.flows.settle import next_attempt
from airflow_provider_genai_batch.hooks.files import Draft, published
from airflow_provider_genai_batch.hooks.intake import Intake
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.rows.landing import land
from airflow_provider_genai_batch.rows.tally import Tally

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What is known of the requests, small enough for a deferral."""

    requests: int | None = None
    keyed: bool = False
    stamped: bool = False
    """All keys were stamped here, so they are known without the input."""
    key_sum: int | None = None
    """Stands for the set of keys, see `rows.ledger.KeyLedger`."""

    @classmethod
    def of(cls, intake: Intake) -> Asked:
        """Keep of an input what its rows need."""
        stamped = intake.stamped > 0 and intake.stamped == intake.requests
        return cls(intake.requests, intake.keyed, stamped, intake.key_sum)


@dataclass(frozen=True)
class Landing:
    """How rows are wanted."""

    results_uri: str | None = None
    max_failed_rows: float = 0
    asked: Asked = Asked()
    keys: Callable[[], Sequence[str] | None] = field(default=lambda: None)
    """Gives the keys of all requests, in order, should the rows not have them all; None: they are not to be had."""

    def tally(self, job: BatchJob, known: Sequence[str] | None = None) -> Tally:
        """Begin to count the rows of a job."""
        asked = self.asked
        return Tally(
            expected=job.counts.total if asked.requests is None else asked.requests,
            keyed=asked.keyed,
            stamped=asked.stamped,
            key_sum=asked.key_sum,
            known=known,
        )


def land_jobs(client: GenAIBatchClient, jobs: tuple[BatchJob, ...], landing: Landing) -> Tally:
    """Read the rows of jobs, count them, and write them where they are wanted.

    Raises:
        ResultsNotWritten: they cannot be written there.
        CallError: they cannot be read.
    """
    uri = landing.results_uri
    try:
        with published(uri, client) if uri else nullcontext(Draft(None)) as draft:
            tally = _read(client, jobs, landing, draft.stream)
            if not tally.sure and (keys := landing.keys()) is not None:
                if draft.stream is not None:
                    draft.stream.seek(0)
                    draft.stream.truncate()
                tally = _read(client, jobs, landing, draft.stream, keys)
            draft.good = tally.rows_read > 0
    except OSError as error:
        names = [job.name for job in jobs]
        msg = (
            f"The rows of {', '.join(names)} could not be written to {uri}: {error}. {', '.join(names)} has ended "
            f"and its answered rows are paid for; they are still at the service. {next_attempt(jobs)}"
        )
        raise ResultsNotWritten(msg, job_names=names) from error
    for count, what in (
        (tally.duplicates, "had a key that came before and were dropped"),
        (tally.unjoined, "came without a key and could not be joined to a request"),
        (tally.unknown, "had a key that no request had and were dropped"),
    ):
        if count:
            log.warning("%d rows %s.", count, what)
    return tally


def _read(
    client: GenAIBatchClient,
    jobs: tuple[BatchJob, ...],
    landing: Landing,
    out: BinaryIO | None,
    keys: Sequence[str] | None = None,
) -> Tally:
    """Read job after job: a key is one within its job."""
    tallies = []
    for job in jobs:
        tally = landing.tally(job, keys)
        compress = (landing.results_uri or "").endswith(".gz")
        land(client.rows(job), tally, out, compress=compress)
        tallies.append(tally)
    return reduce(Tally.absorb, tallies)
