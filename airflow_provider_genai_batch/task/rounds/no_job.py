"""Decides whether a round creates no jobs: they would be late, or immediate calls for its requests have begun."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from airflow_provider_genai_batch.exceptions import JobTimedOut, NotFound
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity, round_of
from airflow_provider_genai_batch.task.journal.journals import Journals
from airflow_provider_genai_batch.task.ready.too_slow import too_slow
from airflow_provider_genai_batch.task.rounds.job_part import identity_of
from airflow_provider_genai_batch.task.rounds.start import RoundStart
from airflow_provider_genai_batch.task.shared import Shared
from airflow_provider_genai_batch.task.state import AttemptState

log = logging.getLogger(__name__)

LAST_ROUND = 10_000
"""Above every round number."""


WhyNext: TypeAlias = Callable[[AttemptState, Identity], str]
"""Takes a state and the identity of the whole input; returns why the next fallback is used, empty if it is not."""


class NoJobError(Exception):
    """No job is created. The text says why; empty: earlier immediate calls count instead."""


@dataclass
class NoJob:
    """Refuses the jobs of one round.

    Args:
        shared: objects shared by the attempt.
        model: the round's model.
        start: the beginning of the round.
        why_next: returns why the next fallback is used; None: there is no next one.

    Attributes:
        journaled: immediate calls of earlier attempts, if they count instead of the round's jobs.
    """

    _shared: Shared
    _model: str
    _start: RoundStart
    why_next: WhyNext | None = None
    journaled: list[BatchJob] = field(default_factory=list)

    @contextmanager
    def leading_on(self) -> Iterator[None]:
        """Use the next fallback if no job can be created: there was no capacity, or the model does not exist.

        Raises:
            NoJobError: no job can be created.
        """
        try:
            yield
        except (JobTimedOut, NotFound) as error:
            of_create = isinstance(error, JobTimedOut) or ".create" in error.method
            if self.why_next is None or not of_create:
                raise
            self._start.state.leads_on = str(error)
            raise NoJobError(str(error)) from error

    def refuse_jobs(self) -> None:
        """Refuse a job that would be late, or whose requests earlier immediate calls have begun to answer.

        Raises:
            NoJobError: the job is refused; or a fallback is used.
        """
        state = self._start.state
        if self.why_next is not None:
            state.leads_on = self.why_next(state, self._start.identity)
            if state.leads_on:
                raise NoJobError(state.leads_on)
        ready = state.ready
        if ready is None:
            if self._shared.settings.retry_tier is not None and self._asked_at_once(state):
                self.journaled = self._at_once
                raise NoJobError
            return
        if state.left_until or self._shared.client.service_time() >= ready.switch(ready.requests):
            msg = f"there is no time for a job of {ready.requests} requests"
            raise NoJobError(msg)
        if self._has_journal or self._asked_at_once(state):
            msg = "an earlier attempt has begun to send them as immediate calls"
            raise NoJobError(msg)
        if self._too_slow:
            raise NoJobError(self._too_slow)

    @cached_property
    def _too_slow(self) -> str:
        """Return why the first job of a run is not worth creating; empty: it is, or this is not the first job."""
        state, shared = self._start.state, self._shared
        if state.ready is None or state.mine or not shared.task.is_first_try:
            return ""
        times = shared.settler.ledger.times.recent(self._model, shared.settings.conn_id)
        return too_slow(times, state.ready, shared.client.service_time())

    @property
    def _journals(self) -> Journals | None:
        uri = self._shared.settings.file_uri
        return None if uri is None else Journals(self._shared.client, uri, self._model)

    @cached_property
    def _at_once(self) -> list[BatchJob]:
        """Return all immediate calls of earlier attempts, for any jobs; only in a first round, else empty."""
        journals = self._journals
        if self._shared.task.is_first_try or not self._shared.settings.reattach or journals is None:
            return []
        found = journals.since(self._start.identity, range(LAST_ROUND))
        return found if any(round_of(job.display_name) for job in found) else []

    def _asked_at_once(self, state: AttemptState) -> bool:
        """Whether an earlier attempt has sent the rest of its jobs as immediate calls, and its jobs are gone."""
        return not state.round and not state.pilot and bool(self._at_once)

    @property
    def _has_journal(self) -> bool:
        """Whether an earlier attempt has begun immediate calls for the requests of this round."""
        start, reattach = self._start, self._shared.settings.reattach
        own = identity_of(start, start.prepared, reattach=reattach)
        return self._journals is not None and bool(self._journals.of_round(own.tag).parts())
