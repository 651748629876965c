"""Settles jobs: carries out the steps of landing their rows and deciding the outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.job_params import JobParams
from airflow_provider_genai_batch.client.storage.input_cleanup import discard_input
from airflow_provider_genai_batch.exceptions import (
    CallError,
    JobError,
)
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain, Done, Outcome, hold, settle
from airflow_provider_genai_batch.flows.steps import (
    CountTables,
    Discard,
    Fetch,
    Land,
    SettleStep,
    Sleep,
    unknown,
)
from airflow_provider_genai_batch.flows.watch import Ending
from airflow_provider_genai_batch.models import BatchJob, Manifest
from airflow_provider_genai_batch.models.jobs.journal import is_journaled
from airflow_provider_genai_batch.task.jobs.patience import Patience
from airflow_provider_genai_batch.task.jobs.summary import describe_unasked, rows_summary
from airflow_provider_genai_batch.task.jobs.traces import (
    LAND,
    of_manifest,
    span,
)
from airflow_provider_genai_batch.task.journal.in_table import in_table
from airflow_provider_genai_batch.task.journal.journal import get_journaled
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.landing.table_counts import count_tables
from airflow_provider_genai_batch.task.landing.usage_ledger import UsageLedger

log = logging.getLogger(__name__)


@dataclass
class JobSettler:
    """Lands the rows of jobs and decides the outcome of a task.

    Attributes:
        client: the client of the task's connection.
        model: the task's model, which a journal does not name.
        models: models of journals of another model, by the names of their jobs.
        journal_uri: returns where journals are kept, see `RunSettings.journal_uri`; None: beside the rows.
        ledger: rows, tokens and cost of the settled jobs.
    """

    client: GenAIBatchClient
    model: str | None = None
    models: dict[str, str | None] = field(default_factory=dict)
    ledger: UsageLedger = field(default_factory=UsageLedger)
    journal_uri: Callable[[], str | None] = field(default=lambda: None)

    def settle(
        self,
        ending: Ending,
        names: list[str],
        landing: Landing,
        *,
        patience: Patience | None = None,
        reattached: Collection[str] = (),
        failed_before: Collection[str] = (),
        may_ask_again: bool = False,
        rounds_left: bool = False,
    ) -> Outcome:
        """Land rows and decide the outcome.

        Args:
            ending: how the wait ended.
            names: the jobs.
            landing: how rows land.
            patience: how to wait for output that is not readable yet.
            reattached: names of jobs of an earlier attempt.
            failed_before: names of those whose failure an earlier attempt raised.
            may_ask_again: whether failed rows may be submitted once more.
            rounds_left: whether they may in a further round, see `flows.outcome.settle.settle`.

        Raises:
            JobError: one of its subclasses, as the outcome table says.
        """
        patience = patience or Patience()

        def act(step: SettleStep) -> Any:
            match step:
                case Fetch(name):
                    return self.ledger.add_job(self._get(name, landing))
                case Land(jobs, besides, partly):
                    how = replace(landing.without(besides), partly=partly)
                    return self._land(jobs, how)
                case CountTables(jobs):
                    return self._count_tables(jobs, landing)
                case Discard(jobs):
                    return self._discard(jobs, landing)
                case Sleep(seconds):
                    return patience.pause(seconds)
                case _:
                    return unknown(step)

        flow = settle(
            ending,
            names,
            max_failed_rows=landing.max_failed_rows,
            results_uri=None if landing.meter else landing.results_uri,
            media_uri=None if landing.meter else landing.media_uri,
            clock=clock.time,
            service_clock=self.client.service_time,
            patience=patience.seconds,
            since=patience.since,
            reattached=reattached,
            failed_before=failed_before,
            may_ask_again=may_ask_again,
            rounds_left=rounds_left,
            submits=landing.submits,
            on_check=landing.on_check,
            result=landing.result_uri,
        )
        self.ledger.begin()
        with span(LAND, names) as note:
            try:
                outcome: Outcome = drive(flow, act)
            except JobError as failure:
                self.ledger.close_failed(failure)
                note(of_manifest(failure.manifest))
                raise
            if isinstance(outcome, AskAgain):
                if outcome.failure is not None:
                    self.ledger.close_failed(outcome.failure)
                note(of_manifest(outcome.manifest))
                return outcome
            manifest = self.ledger.close(outcome.manifest)
            note(of_manifest(manifest.model_dump(mode="json")))
        log.info("Rows: %s", rows_summary(manifest))
        return Done(manifest)

    def settle_last(
        self, ending: Ending, names: list[str], landing: Landing, patience: Patience | None = None
    ) -> Manifest:
        """Land rows and decide the outcome; nothing is submitted again. See `settle`.

        Raises:
            JobError: one of its subclasses, as the outcome table says.
        """
        outcome = self.settle(ending, names, landing, patience=patience)
        assert isinstance(outcome, Done)  # noqa: S101 - nobody allows it to ask again
        return outcome.manifest

    def land_at_hand(self, order: JobParams, landing: Landing) -> Done:
        """Land the rows of an input that is answered already, and needs no job.

        Raises:
            ResultsNotWritten: they cannot be written.
            ChecksFailed: a check of all rows fails.
        """
        self.ledger.begin()
        tally = self._land((), landing) if landing.into is None else self._count_tables((), landing)
        uri = landing.results_uri or landing.result_uri
        manifest = self.ledger.close(describe_unasked(order, tally, uri, landing.media_uri))
        log.info("No job was needed. Rows: %s", rows_summary(manifest))
        hold(manifest, landing.on_check)
        return Done(manifest)

    def _get(self, name: str, landing: Landing) -> BatchJob:
        if is_journaled(name):
            model = self.models.get(name, self.model)
            job = get_journaled(self.client, self.journal_uri() or landing.results_uri, name, model)
            return job if landing.into is None else in_table(self.client, job, landing.into)
        return landing.at(name, self.client).get(name)

    def _land(self, jobs: tuple[BatchJob, ...], landing: Landing) -> Any:
        tally = self.ledger.add_rows(land_jobs(self.client, jobs, landing))
        if landing.loads is not None:
            self.ledger.bigquery = landing.loads.jobs(self.client)
        return tally

    def _count_tables(self, jobs: tuple[BatchJob, ...], landing: Landing) -> Any:
        if landing.into is None:
            return count_tables(self.client, jobs)
        if landing.meter is not None:
            return self.ledger.add_rows(landing.into.measure(self.client, jobs, landing.meter))
        tally = self.ledger.add_rows(landing.into.land(self.client, jobs))
        self.ledger.bigquery = landing.into.jobs(self.client, jobs)
        return tally

    def _discard(self, jobs: tuple[BatchJob, ...], landing: Landing) -> None:
        for job in jobs:
            try:
                client = landing.at(job.name, self.client)
                gone = client.run(discard_input(client.calls, job))
            except CallError as error:
                log.warning("The uploaded input of job %s could not be deleted: %s", job.name, error)
            else:
                if gone:
                    log.info("Deleted %s, the uploaded input of job %s.", gone, job.name)
