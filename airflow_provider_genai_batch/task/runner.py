"""Carrying out the flows with a client: submit, look, settle."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.job_params import JobParams
from airflow_provider_genai_batch.client.jobs import cancel_job, find_jobs, is_older, recent_jobs
from airflow_provider_genai_batch.client.storage.input_cleanup import discard_input
from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.exceptions import (
    CallError,
    JobCancelled,
    JobError,
    NotFound,
)
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.outcome.collect import READ_PATIENCE
from airflow_provider_genai_batch.flows.outcome.messages import UNSEEN, UNSENT
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain, Done, Outcome, hold, settle
from airflow_provider_genai_batch.flows.outcome.stray_jobs import Strays, find_strays
from airflow_provider_genai_batch.flows.queue import queue_times
from airflow_provider_genai_batch.flows.record import RecordKeeper
from airflow_provider_genai_batch.flows.steps import (
    AwaitCapacity,
    Cancel,
    CountTables,
    Create,
    Discard,
    Fetch,
    Find,
    FindStep,
    Land,
    ListLive,
    Look,
    Place,
    Recall,
    RecallAll,
    Remember,
    SettleStep,
    Sleep,
    SubmitStep,
    WatchStep,
    unknown,
)
from airflow_provider_genai_batch.flows.submission.attempt import Attempt, Found
from airflow_provider_genai_batch.flows.submission.search import orphan
from airflow_provider_genai_batch.flows.submission.submit import submit
from airflow_provider_genai_batch.flows.submission.withdraw import cancel_needless
from airflow_provider_genai_batch.flows.watch import BUDGET, Ending, WaitPlan, look_once, watch
from airflow_provider_genai_batch.models import BatchJob, Manifest
from airflow_provider_genai_batch.models.cancellation import Cancellation
from airflow_provider_genai_batch.models.identity import Identity
from airflow_provider_genai_batch.models.journal import is_journaled
from airflow_provider_genai_batch.task.journal.journal import get_journaled
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.task.landing.table_counts import count_tables
from airflow_provider_genai_batch.task.landing.usage_ledger import UsageLedger
from airflow_provider_genai_batch.task.summary import describe_unasked, rows_summary
from airflow_provider_genai_batch.task.traces import (
    LAND,
    REATTACHED,
    SUBMIT,
    WAIT,
    WHY,
    of_job,
    of_manifest,
    span,
)
from airflow_provider_genai_batch.wire.services.create import JobSpec

log = logging.getLogger(__name__)

_LIVE_PAGES = 10
"""Of a list, among which those that have not ended are looked for: a thousand jobs."""

OpenClient: TypeAlias = Callable[[str], AbstractContextManager[GenAIBatchClient]]
"""Opens a client of an Airflow connection; closed at the end of the block."""


@contextmanager
def _saying_what_became(sentences: str) -> Iterator[None]:
    try:
        yield
    except CallError as error:
        error.tell(sentences)
        raise


@dataclass(frozen=True)
class Patience:
    """How output of an ended job is waited for that is not readable yet."""

    seconds: float = field(default_factory=lambda: READ_PATIENCE)
    """All in all."""
    since: float | None = None
    """When it was asked for first, in seconds since the epoch; None: it was not yet."""
    pause: Callable[[float], None] = clock.sleep
    """Waits for so many seconds."""


class JobRunner:
    """One worker's doings with jobs, on one client.

    Args:
        client: of the task's connection.
        open_client: opens a client of a connection that an earlier attempt used; None: there was no earlier attempt.
        model: of the task, which a journal does not name.

    Attributes:
        models: of journals of another one, by the names of their jobs.
        ledger: what came of those that were settled.
        usual: how long jobs of the model take, in words; empty where that is not known.
    """

    def __init__(
        self, client: GenAIBatchClient, open_client: OpenClient | None = None, model: str | None = None
    ) -> None:
        self._client, self.ledger, self._model = client, UsageLedger(), model
        self.models: dict[str, str | None] = {}
        self.usual = ""
        self._open_client: OpenClient = open_client or (lambda _conn_id: nullcontext(client))

    def submit(  # noqa: C901, PLR0913 - a step a line; keyword-only but for what it is about
        self,
        identity: Identity,
        spec: Callable[[], JobSpec],
        attempt: Attempt,
        *,
        display_name: str,
        records: RecordKeeper,
        budget: float,
        wanted: Callable[[], bool] = lambda: True,
        created: Callable[[BatchJob], None] = lambda _job: None,
        await_capacity: Callable[[AwaitCapacity], None] | None = None,
    ) -> Found:
        """Find or create an identity's job.

        Args:
            identity: whose job it is.
            spec: puts the input in place; called again where that met trouble.
            attempt: what is known beforehand.
            display_name: as the service keeps it, for errors.
            records: what the task instance wrote down.
            budget: seconds for which a lack of capacity is waited out.
            wanted: asked before every create whether it still is.
            created: takes a job as soon as its create is answered, before anything else is done: whatever interrupts
                the attempt from then on finds a job to cancel.
            await_capacity: waits, or leaves by an exception of Airflow's; None: sleeps.

        Raises:
            JobCancelled: it is not wanted any more; nothing was created.
        """
        placed: list[JobSpec] = []

        def act(step: SubmitStep) -> Any:  # noqa: PLR0911 - a step a line
            match step:
                case Recall():
                    return records.read()
                case RecallAll():
                    return records.read_all()
                case Place():
                    return placed.append(spec())
                case Remember(record):
                    return records.write(replace(record, conn_id=attempt.conn_id, place=attempt.place))
                case Create():
                    return create()
                case AwaitCapacity(seconds):
                    return await_capacity(step) if await_capacity else clock.sleep(seconds)
                case ListLive():
                    return self._listed(attempt)
                case Find() | Look() | Cancel() | Sleep():
                    # What is decided on a look is worth as many as any other call.
                    return self._act_for(identity, step)
                case _:
                    return unknown(step)

        def create() -> BatchJob:
            if not wanted():
                msg = "The task was killed before its job was submitted. Nothing was created; nothing is billed."
                raise JobCancelled(msg, job_names=())
            job = self._client.perform(self._client.calls.create(placed[0]))
            created(job)
            return job

        attempt = replace(attempt, place=self._client.config.place)
        flow = submit(
            identity,
            display_name,
            attempt,
            budget=budget,
            clock=self._client.service_time,
            steady=clock.monotonic,
        )
        with span(SUBMIT) as note:
            with _saying_what_became(UNSEEN if attempt.look_first or attempt.mine else UNSENT):
                found = drive(flow, act)
            note({**of_job(found.job), REATTACHED: found.reattached})
        return found

    def find(self, identity: Identity, since: float | None) -> list[BatchJob]:
        """Ask a list for the jobs of an identity's task instance; see `find_jobs`."""
        return self._client.run(find_jobs(self._client.calls, identity, since, self._behind))

    def _listed(self, attempt: Attempt) -> list[BatchJob] | None:
        """List jobs that may not have ended; the log says what those that have tell of the queue."""
        jobs = self.recent_jobs(BUDGET[self._client.config.backend], _LIVE_PAGES)
        model = "" if attempt.room is None else attempt.room.model
        times = queue_times(jobs or (), model)
        self.usual = "" if times is None else times.words
        if self.usual and not attempt.refusals:
            log.info("Jobs of %s take %s.", model, self.usual)
        return jobs

    def recent_jobs(self, seconds: float, most_pages: int = 1) -> list[BatchJob] | None:
        """List the connection's jobs of so many seconds; None where the list cannot be read, which is no matter."""
        since = self._client.service_time() - seconds
        try:
            return self._client.run(recent_jobs(self._client.calls, since, most_pages))
        except CallError as error:
            log.info("What the queue is like cannot be seen: %s", error)
            return None

    def _behind(self) -> float:
        """Seconds by which the service's clock is behind this machine's, as far as its time is known."""
        return max(0.0, clock.time() - self._client.service_time())

    def find_ended(self, identity: Identity, since: float | None) -> list[str]:
        """Return the names of an identity's jobs that have ended; one that a list shows at work is read by its name."""
        own = [job for job in self.find(identity, since) if identity.owns(job)]
        return [job.name for job in own if job.done or self._has_ended(job.name)]

    def _has_ended(self, name: str) -> bool:
        try:
            return self._client.get(name).done
        except NotFound:  # or does not appear yet: that is for whoever takes it up
            return False

    def find_strays(self, identity: Identity, names: Collection[str], since: float | None) -> Strays:
        """Look for jobs that ask the same as those that were settled last, and have none of these names."""
        known = [job for job in self.ledger.at_hand if not is_journaled(job.name)]
        flow = find_strays(identity, known, names=names, since=since, clock=self._client.service_time)
        return drive(flow, partial(self._act_for, identity))

    def cancel_strays(self, identity: Identity, strays: Strays) -> None:
        """Cancel those that have not ended."""
        drive(cancel_needless(identity, strays.going, self._client.service_time), self._act)

    def _act_for(self, identity: Identity, step: Find | WatchStep) -> Any:
        if isinstance(step, Find):
            return self.find(identity, step.since)
        return self._act(step, tries=TRIES)

    def find_orphan(self, identity: Identity, intent: float | None) -> BatchJob | None:
        """Find the job of a create call that was about to be sent at `intent`; see `orphan`."""

        def act(step: FindStep) -> Any:
            if isinstance(step, Find):
                found, since = self.find(identity, step.since), step.since
                oldest = None if since is None else since - self._behind()
                return [job for job in found if not is_older(job, oldest)]
            return self._act(step)

        return drive(orphan(identity, intent, self._client.service_time), act)

    def wait(self, names: list[str], plan: WaitPlan) -> Ending:
        """Wait in place."""
        with span(WAIT, names) as note:
            ending = drive(watch(names, plan, clock=self._client.service_time), self._act)
            note({WHY: ending.why.value})
        return ending

    def look_once(self, names: list[str], appear_until: float = 0.0) -> Ending | None:
        """Look once; None while a job goes on, or does not appear yet."""
        service_time = self._client.service_time
        return drive(look_once(names, {}, clock=service_time, appear_until=appear_until), self._act)

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
    ) -> Outcome:
        """Land rows and decide the outcome.

        Args:
            ending: how the waiting ended.
            names: the jobs.
            landing: how rows are wanted.
            patience: for output that is not readable yet.
            reattached: those that are of an earlier attempt.
            failed_before: those of them whose failure an earlier attempt raised.
            may_ask_again: rows that failed may be asked for once more.

        Raises:
            JobError: one of its kinds, as the outcome table says.
        """
        patience = patience or Patience()

        def act(step: SettleStep) -> Any:
            match step:
                case Fetch(name):
                    return self.ledger.add_job(self._get(name, landing))
                case Land(jobs, besides, partly):
                    how = replace(landing.without(besides), partly=partly)
                    return self.ledger.add_rows(land_jobs(self._client, jobs, how))
                case CountTables(jobs):
                    return self._count_tables(jobs, landing)
                case Discard(jobs):
                    return self._discard(jobs)
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
            service_clock=self._client.service_time,
            patience=patience.seconds,
            since=patience.since,
            reattached=reattached,
            failed_before=failed_before,
            may_ask_again=may_ask_again,
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

    def _get(self, name: str, landing: Landing) -> BatchJob:
        if is_journaled(name):
            model = self.models.get(name, self._model)
            return get_journaled(self._client, landing.results_uri, name, model)
        return self._client.get(name)

    def land_at_hand(self, order: JobParams, landing: Landing) -> Done:
        """Land the rows of an input of which nothing is to be asked: it needs no job.

        Raises:
            ResultsNotWritten: they cannot be written.
            ChecksFailed: they are not as they should be, all together.
        """
        self.ledger.begin()
        tally = self.ledger.add_rows(land_jobs(self._client, [], landing))
        manifest = self.ledger.close(describe_unasked(order, tally, landing.results_uri, landing.media_uri))
        log.info("No job was needed. Rows: %s", rows_summary(manifest))
        hold(manifest, landing.on_check)
        return Done(manifest)

    def settle_last(
        self, ending: Ending, names: list[str], landing: Landing, patience: Patience | None = None
    ) -> Manifest:
        """Land rows and decide the outcome, where nothing is asked again; see `settle`.

        Raises:
            JobError: one of its kinds, as the outcome table says.
        """
        outcome = self.settle(ending, names, landing, patience=patience)
        assert isinstance(outcome, Done)  # noqa: S101 - nobody allows it to ask again
        return outcome.manifest

    def _act(self, step: WatchStep, tries: int = 1) -> Any:
        match step:
            case Look(name):
                return self._client.perform(self._client.calls.look(name), tries)
            case Cancel():
                return self._cancel(step)
            case Sleep(seconds):
                return clock.sleep(seconds)
            case _:
                return unknown(step)

    def _cancel(self, step: Cancel) -> Cancellation:
        how: dict[str, Any] = {"only_if": step.only_if, "is_new": step.is_new}
        if not step.conn_id:
            return self._client.run(cancel_job(self._client.calls, step.name, **how))
        with self._open_client(step.conn_id) as client:
            return client.run(cancel_job(client.calls, step.name, **how))

    def _count_tables(self, jobs: tuple[BatchJob, ...], landing: Landing) -> Any:
        if landing.into is None:
            return count_tables(self._client, jobs)
        return self.ledger.add_rows(landing.into.land(self._client, jobs))

    def _discard(self, jobs: tuple[BatchJob, ...]) -> None:
        for job in jobs:
            try:
                gone = self._client.run(discard_input(self._client.calls, job))
            except CallError as error:
                log.warning("The uploaded input of job %s was left where it is: %s", job.name, error)
            else:
                if gone:
                    log.info("Deleted %s, the uploaded input of job %s.", gone, job.name)
