"""The outcome of a round: its jobs are settled, judged as a pilot, or cancelled because of the rows' deadline."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.exceptions import (
    OnlineStopped,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.flows.outcome.settle import TOO_FEW_ROWS, AskAgain, Outcome
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models.jobs.identity import FALLBACK_ROUNDS, Identity
from airflow_provider_genai_batch.task.fallbacks.ways import Ways
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.journal.journals import Journals
from airflow_provider_genai_batch.task.pilot.judge import judge
from airflow_provider_genai_batch.task.ready.leave import Leaving, missed, never_ended
from airflow_provider_genai_batch.task.rounds.stray_jobs import StrayJobs
from airflow_provider_genai_batch.task.settlement import Settlement
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint
from airflow_provider_genai_batch.task.waiting import Waiting

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import BatchJob
    from airflow_provider_genai_batch.task.settings.order import Order

from airflow_provider_genai_batch.task.rounds.next_round import NextRound
from airflow_provider_genai_batch.task.shared import Shared

log = logging.getLogger(__name__)


@dataclass
class RoundOutcome:
    """Decides the outcome of a round.

    Args:
        shared: objects shared by the attempt.
        settlement: lands rows.
        ways: the fallbacks; None: there are none.
    """

    _shared: Shared
    _settlement: Settlement
    _ways: Ways | None = None

    def settle_left(
        self,
        ending: Ending,
        checkpoint: Checkpoint,
        identity: Identity | None,
        strays: StrayJobs,
        prepared: PreparedInput | None = None,
        event: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Cancel jobs because of the rows' deadline, and settle with their answers.

        Raises:
            DeadlineMissed: one of them does not end.
            JobError: one of its subclasses, as the outcome table says.
        """
        state, leaving = checkpoint.state, Leaving(self._shared)
        assert state.ready is not None  # noqa: S101 - else nobody leaves
        if ending.why is Why.SWITCH:
            assert identity is not None  # noqa: S101 - jobs are left that this attempt knows
            left = leaving.leave(ending, checkpoint, identity)
        else:
            left = leaving.left(checkpoint)
        gives_up = leaving.gives_up(left)
        if not left.jobs:
            if gives_up:
                raise never_ended(state.ready.at, left.stuck)
            names = (*left.stuck, *left.empty)
            return AskAgain(names, ended_early=names)
        settle = partial(self._settlement.settle, prepared=prepared, stops=gives_up)
        ended, kept = Ending(Why.ENDED), replace(checkpoint, jobs=left.jobs)
        if not gives_up:
            return strays.settled(ended, kept, settle, event)
        with missing(state, f"{', '.join(left.stuck)} did not end"):
            return settle(ended, kept, event)  # a search for other jobs would find these, and wait for them

    def judge(
        self,
        ending: Ending,
        checkpoint: Checkpoint,
        event: Mapping[str, Any] | None = None,
        *,
        asked: PreparedInput | None = None,
        stopped: bool = False,
    ) -> AskAgain:
        """Judge the pilot; see `task.pilot.judge`."""
        plan = NextRound.planned(checkpoint.state)
        keys = [*asked.keys()] if asked is not None else None
        patience = self._settlement.late_rows(ending, checkpoint, event)
        return judge(
            self._shared.settler,
            self._shared.settings,
            plan,
            ending,
            checkpoint,
            keys=keys,
            patience=patience,
            stopped=stopped,
            into=self._settlement.table_of(checkpoint.facts),
        )

    def strays(self, identity: Identity | None, facts: InputFacts, state: AttemptState) -> StrayJobs:
        """Return the object that settles with jobs found only in a list; see `StrayJobs`."""

        def wait(going: Sequence[BatchJob], jobs: Sequence[BatchJob]) -> Ending:
            assert identity is not None  # noqa: S101 - else there are no such jobs
            waiting = Waiting(shared)
            return waiting.wait_for(going, jobs, state, facts, identity)

        shared = self._shared
        if self._ways is not None and state.fallback:
            shared = self._ways.of(state.fallback).shared
        return StrayJobs(shared, identity, facts, state, wait)

    def immediate_calls(self, identity: Identity, order: Order) -> list[BatchJob]:
        """Return the immediate calls of earlier attempts for requests of this input, as ended jobs."""
        uri = self._shared.settings.file_uri
        if uri is None:
            return []
        return Journals(self._shared.client, uri, order.model).since(identity, range(FALLBACK_ROUNDS))


@contextmanager
def saying_why(stopped: OnlineStopped | None) -> Iterator[None]:
    """If immediate calls were stopped, raise the reason instead of the error about the missing rows."""
    try:
        yield
    except TOO_FEW_ROWS as failure:
        if stopped is None:
            raise
        stopped.manifest = failure.manifest
        if isinstance(failure, TooManyFailedRows):
            stopped.add("The answers so far have landed, with the other requests as missing rows.")
        stopped.add("The next attempt keeps the answers and sends the rest.")
        raise stopped from failure


@contextmanager
def missing(state: AttemptState, why: str) -> Iterator[None]:
    """Raise that the rows' deadline was missed instead of the error about the missing rows; empty `why`: it was not."""
    try:
        yield
    except TOO_FEW_ROWS as failure:
        if not why or state.ready is None:
            raise
        raise missed(state.ready.at, why, failure) from failure
