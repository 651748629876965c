"""Submits a job: carries out the steps of finding or creating it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import (
    CallError,
    JobCancelled,
)
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.outcome.messages import UNSEEN, UNSENT
from airflow_provider_genai_batch.flows.record import RecordKeeper
from airflow_provider_genai_batch.flows.steps import (
    AwaitCapacity,
    Cancel,
    Create,
    Find,
    ListLive,
    ListToday,
    Look,
    Place,
    Recall,
    RecallAll,
    Remember,
    Sleep,
    SubmitStep,
    unknown,
)
from airflow_provider_genai_batch.flows.submission.attempt import Attempt, Found
from airflow_provider_genai_batch.flows.submission.submit import submit
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.task.jobs.finder import JobFinder
from airflow_provider_genai_batch.task.jobs.traces import (
    REATTACHED,
    SUBMIT,
    of_job,
    span,
)
from airflow_provider_genai_batch.wire.services.create import JobSpec


@contextmanager
def _saying_what_became(sentences: str) -> Iterator[None]:
    try:
        yield
    except CallError as error:
        error.tell(sentences)
        raise


@dataclass(frozen=True)
class JobSubmitter:
    """Finds or creates jobs.

    Attributes:
        finder: looks for them.
    """

    finder: JobFinder

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
            identity: identity of the job.
            spec: uploads or stages the input; called again after an error.
            attempt: what is known beforehand.
            display_name: the job's display name at the service, for errors.
            records: the records of the task instance.
            budget: seconds to wait for capacity.
            wanted: tells, before every create call, whether the job is still wanted.
            created: gets the job as soon as its create call is answered, before anything else happens: whatever
                interrupts the attempt from then on finds a job to cancel.
            await_capacity: waits, or raises one of Airflow's exceptions; None: sleeps.

        Raises:
            JobCancelled: the job is no longer wanted; nothing was created.
        """
        client, placed = self.finder.watcher.client, list[JobSpec]()

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
                    return self.finder.list_live(attempt)
                case ListToday():
                    return self.finder.list_today()
                case Find() | Look() | Cancel() | Sleep():
                    return self.finder.act_for(identity, step)
                case _:
                    return unknown(step)

        def create() -> BatchJob:
            if not wanted():
                msg = "The task was killed before its job was submitted. Nothing was created; nothing is billed."
                raise JobCancelled(msg, job_names=())
            job = client.perform(client.calls.create(placed[0]))
            created(job)
            return job

        attempt = replace(attempt, place=client.config.place)
        flow = submit(
            identity,
            display_name,
            attempt,
            budget=budget,
            clock=client.service_time,
            steady=clock.monotonic,
        )
        with span(SUBMIT) as note:
            with _saying_what_became(UNSEEN if attempt.look_first or attempt.mine else UNSENT):
                found = drive(flow, act)
            note({**of_job(found.job), REATTACHED: found.reattached})
        return found
