"""Whether a round goes without jobs: they would be late, or its requests were asked at once before."""

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
"""No round has so high a number."""


WhyNext: TypeAlias = Callable[[AttemptState, Identity], str]
"""Tells of a state and the identity of the whole input why a fallback is asked; empty: it is not."""


class NoJobError(Exception):
    """No job is created. The text says why; empty: what was asked at once counts."""


@dataclass
class NoJob:
    """Refuses the jobs of one round.

    Args:
        shared: of the attempt.
        model: that is asked.
        start: of the round.
        why_next: tells why a fallback is asked; None: there is none after this.

    Attributes:
        journaled: what earlier attempts asked at once, where that counts in place of the round's jobs.
    """

    _shared: Shared
    _model: str
    _start: RoundStart
    why_next: WhyNext | None = None
    journaled: list[BatchJob] = field(default_factory=list)

    @contextmanager
    def leading_on(self) -> Iterator[None]:
        """Ask a fallback where no job can be created: there was no capacity, or there is no such model.

        Raises:
            NoJobError: so it is.
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
        """Leave the round to calls that answer at once, where a job would be late or they have begun before.

        Raises:
            NoJobError: it would, or they have; or a fallback is asked.
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
            msg = "an earlier attempt has begun to ask them at once"
            raise NoJobError(msg)
        if self._too_slow:
            raise NoJobError(self._too_slow)

    @cached_property
    def _too_slow(self) -> str:
        """Why the first job of a run is not worth its creation; empty: it is, or this is not the first."""
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
        """What earlier attempts asked at once, whatever jobs it was to complete; empty: only in a first round."""
        journals = self._journals
        if self._shared.task.is_first_try or not self._shared.settings.reattach or journals is None:
            return []
        found = journals.since(self._start.identity, range(LAST_ROUND))
        return found if any(round_of(job.display_name) for job in found) else []

    def _asked_at_once(self, state: AttemptState) -> bool:
        """Whether an earlier attempt has asked at once what its jobs left, and they are not found any more."""
        return not state.round and not state.pilot and bool(self._at_once)

    @property
    def _has_journal(self) -> bool:
        """Whether an earlier attempt has begun to ask at once what this round asks."""
        start, reattach = self._start, self._shared.settings.reattach
        own = identity_of(start, start.prepared, reattach=reattach)
        return self._journals is not None and bool(self._journals.of_round(own.tag).parts())
