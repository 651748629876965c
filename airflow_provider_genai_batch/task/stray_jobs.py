"""What an attempt does about stray jobs: it counts their rows, waits for them, or cancels them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from airflow_provider_genai_batch.exceptions import (
    JobCancelled,
    JobExpired,
    JobFailed,
    JobTimedOut,
    OutputNotReadable,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.flows.outcome.settle import SubmitAnew
from airflow_provider_genai_batch.flows.outcome.stray_jobs import Strays
from airflow_provider_genai_batch.flows.submission.own_jobs import created_at
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.identity import Identity, round_of
from airflow_provider_genai_batch.task.landing.land import Asked
from airflow_provider_genai_batch.task.port import TaskPort
from airflow_provider_genai_batch.task.runner import JobDesk
from airflow_provider_genai_batch.task.settings import RunSettings
from airflow_provider_genai_batch.task.state import AttemptState, Memo

log = logging.getLogger(__name__)

_TOO_FEW = (TooManyFailedRows, JobFailed, JobExpired, JobCancelled)


class Settle(Protocol):
    """Turns the end of jobs into a manifest as JSON."""

    def __call__(
        self, ending: Ending, memo: Memo, event: Mapping[str, Any] | None = None, /
    ) -> dict[str, Any]:
        """Settle; the event is that of the trigger which told of the end, if one did."""
        ...


class StrayJobs:
    """Settling with what only a list tells of.

    Args:
        settings: of the task.
        task: the task instance.
        desk: settles, and looks.
        identity: of the whole input; None: not known, and then no job is looked for.
        asked: what is known of the whole input.
        memory: what the attempt did so far; it is brought up to date.
        wait: waits for jobs, or leaves by a deferral; it takes those that go on, and all of the round.

    Attributes:
        later: stray jobs of rounds that the attempt has not come to, as they were seen when rows had failed last.
    """

    def __init__(
        self,
        settings: RunSettings,
        task: TaskPort,
        desk: JobDesk,
        identity: Identity | None,
        asked: Asked,
        memory: AttemptState,
        wait: Callable[[Sequence[BatchJob], Sequence[BatchJob]], Ending],
    ) -> None:
        self._settings, self._task, self._desk, self._wait = settings, task, desk, wait
        self._identity, self._asked, self._memory = identity, asked, memory
        self.later = Strays()

    def settled(
        self, ending: Ending, memo: Memo, settle: Settle, event: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Settle; if rows failed, or an earlier attempt was at work, once more with each stray job's rows.

        Args:
            ending: how the waiting for the jobs ended.
            memo: tells of them.
            settle: settles once.
            event: of the trigger that told of the end, if one did.

        Returns:
            The manifest as JSON.

        Raises:
            SubmitAnew: too many rows failed, and may be asked for again.
            JobError: one of its kinds, as the outcome table says.
        """
        while True:
            try:
                manifest = settle(ending, memo, event)
            except OutputNotReadable as error:
                return self._without(ending, memo, settle, error)
            except JobTimedOut:
                if self._settings.on_timeout == "cancel":
                    self._cancel(self._look(memo.jobs))
                raise
            except (SubmitAnew, *_TOO_FEW) as error:
                strays = self._look(memo.jobs).only(self._asked.joins) if self._joins else Strays()
                may_go_on = isinstance(error, SubmitAnew)
                self.later = strays.only(self._is_later) if may_go_on else Strays()
                strays = strays.only(lambda job: not self._is_later(job)) if may_go_on else strays
                if not strays:
                    raise
                log.warning("%s; counting on more jobs of the same requests.", error)
                (ending, memo), event = self.joined(memo, strays), None
            else:
                counts = manifest["counts"] or {"total": 0, "ok": 0}
                failed = counts["ok"] < counts["total"]
                if not failed and self._task.is_first_try:
                    return manifest  # it is whole, and nobody else was at work
                strays = self._look(memo.jobs)
                ended = Strays(strays.ended).only(self._asked.joins)
                if not failed or not ended:
                    self._cancel(strays)
                    return manifest
                (ending, memo), event = self.joined(memo, ended), None

    def joined(self, memo: Memo, strays: Strays) -> tuple[Ending, Memo]:
        """Return the end of jobs and of stray ones; those that go on are waited for."""
        memory, known = self._memory, self._desk.books.at_hand
        for job in strays.jobs:
            memory.mine.append(job.name)
            if not self._task.is_first_try:  # else it is of this attempt's own create call
                memory.taken_up.append(job.name)
            memory.twins.append(job.name)  # what a further round is known by does not depend on them
            memory.strays.append(job.name)
        memory.idle = memory.idle and not strays.going
        for job in (*known, *strays.ended):
            if job.state is JobState.FAILED and job.name not in memory.failed_before:
                memory.failed_before.append(job.name)  # it left too few rows; all of them together decide
        ending = Ending(Why.ENDED)
        if strays.going:
            names = ", ".join(job.name for job in strays.going)
            log.warning("Waiting for %s: it asks requests that have no good row yet.", names)
            of_round = [job for job in known if job.name not in memory.done]
            ending = self._wait(strays.going, [*of_round, *strays.jobs])
        jobs = [*memo.jobs, *(job.name for job in strays.jobs)]
        return ending, replace(memo, memory=memory, jobs=jobs)

    # ------------------------------------------------------------

    @property
    def _joins(self) -> bool:
        """Whether rows of several jobs that asked the same can be told apart by their keys."""
        return self._asked.requests is not None and self._asked.keyed

    def _is_later(self, job: BatchJob) -> bool:
        return round_of(job.display_name) > self._memory.round

    def _look(self, names: Collection[str]) -> Strays:
        if self._identity is None:
            return Strays()
        known = {*names, *self._memory.before}
        strays = self._desk.find_strays(self._identity, known, self._task.run_begin)
        if self._settings.reattach:
            return strays
        times = [at for job in self._desk.books.at_hand if (at := created_at(job)) is not None]
        own = min(times, default=float("inf"))  # what is older was not to be taken up
        return strays.only(lambda job: (created_at(job) or 0.0) >= own)

    def _cancel(self, strays: Strays) -> None:
        if self._identity is not None and strays.going:
            self._desk.cancel_strays(self._identity, strays)

    def _without(
        self, ending: Ending, memo: Memo, settle: Settle, error: OutputNotReadable
    ) -> dict[str, Any]:
        """Settle without stray jobs whose rows cannot be read; what is enough without them is not to fail for them."""
        jobs = [name for name in memo.jobs if name not in self._memory.strays]
        if len(jobs) == len(memo.jobs):
            raise error
        try:
            manifest = settle(ending, replace(memo, jobs=jobs))
        except (SubmitAnew, OutputNotReadable, *_TOO_FEW):
            raise error from None
        log.warning("%s The task has enough rows without them.", error)
        return manifest
