"""The fallbacks of an attempt: their connections, and when the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ConfigurationError, GenAIBatchError
from airflow_provider_genai_batch.models.jobs.identity import FALLBACK_ROUNDS, Identity, fallback_of, round_of
from airflow_provider_genai_batch.models.jobs.journal import is_journaled
from airflow_provider_genai_batch.models.settings.fallback import Fallback, read_fallbacks
from airflow_provider_genai_batch.task.fallbacks.way import Way
from airflow_provider_genai_batch.task.inputs.unreadable import refuse_unreadable
from airflow_provider_genai_batch.task.jobs.finder import JobFinder
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
from airflow_provider_genai_batch.task.journal.journals import Journals
from airflow_provider_genai_batch.task.settings.order import Order
from airflow_provider_genai_batch.task.shared import Shared

if TYPE_CHECKING:
    from typing_extensions import Self

    from airflow_provider_genai_batch.task.state import AttemptState


class Ways:
    """The fallbacks of one attempt.

    Their connections are opened when they are needed, and closed at the end of the ``with`` block.

    Args:
        shared: what the parts of the attempt share, with the task's own connection.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._settings, self._task, self._client = shared.settings, shared.task, shared.client
        self._steps = _steps(read_fallbacks(shared.settings.fallbacks))
        self._clients: dict[str, GenAIBatchClient] = {}
        self._ways: dict[int, Way] = {}
        self._stack = ExitStack()
        self._furthest: int | None = None

    def __enter__(self) -> Self:
        """Return itself; connections are opened later."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections that were opened."""
        self._clients.clear()
        self._ways.clear()
        self._stack.close()

    def check(self, order: Order) -> None:
        """Refuse fallbacks whose requests could not be sent, before anything is paid.

        Raises:
            ConfigurationError, InputError: a fallback cannot be used; the message names it.
        """
        refuse_unreadable(order.source, "fallbacks")
        for number in self._numbers:
            try:
                self.of(number).check(order)
            except GenAIBatchError as error:
                msg = f"The fallback {self.of(number)} cannot be used, so nothing was sent: {error}"
                raise ConfigurationError(msg) from error

    def all(self) -> Iterator[Way]:
        """Yield all fallbacks, in order."""
        return map(self.of, self._numbers)

    @property
    def _numbers(self) -> range:
        return range(1, len(self._steps) + 1)

    def of(self, number: int) -> Way:
        """Return a fallback by its number, counted from 1."""
        if number not in self._ways:
            self._ways[number] = self._made(number)
        return self._ways[number]

    def has_next(self, state: AttemptState) -> bool:
        """Whether there is a fallback after the one of this round."""
        return state.fallback < len(self._steps)

    # ------------------------------------------------------------ whose jobs

    def conn_id(self, number: int) -> str | None:
        """Return the connection id of a fallback; None for the task's own."""
        return self._steps[number - 1][0].conn_id if 0 < number <= len(self._steps) else None

    def conn_of(self, state: AttemptState) -> Callable[[str], str | None]:
        """Return a function from a job's name to the id of its connection; None for the task's own."""
        here = self.conn_id(state.fallback)

        def conn_of(name: str) -> str | None:
            if name in state.done or is_journaled(name):
                return state.elsewhere.get(name)
            return here

        return conn_of

    def client_of(self, state: AttemptState) -> Callable[[str], GenAIBatchClient]:
        """Return a function from a job's name to its client."""
        conn_of = self.conn_of(state)
        return lambda name: self.client(conn_of(name))

    def client(self, conn_id: str | None) -> GenAIBatchClient:
        """Return the client of a connection; None means the task's own."""
        if conn_id is None or conn_id == self._settings.conn_id:
            return self._client
        if conn_id not in self._clients:
            self._clients[conn_id] = self._stack.enter_context(self._task.open_client(conn_id))
        return self._clients[conn_id]

    def turn_to(self, state: AttemptState) -> None:
        """Use the connection of a round to wait for jobs and to cancel them."""
        conn_id = self.conn_id(state.fallback)
        self._task.turn_to(conn_id or self._settings.conn_id, self.client(conn_id).config)

    # ------------------------------------------------------------ when the next fallback begins

    def why_next(self, state: AttemptState, identity: Identity) -> str:
        """Return why the next fallback begins instead of more jobs of this one; empty if it does not begin."""
        if not self.has_next(state):
            return ""
        if state.leads_on:
            return state.leads_on
        if fallback_of(state.reached) > state.fallback:
            return "this attempt has come further before it was deferred"
        if self._found(identity) > state.fallback:
            return "an earlier attempt has come further"
        return ""

    def why_after(self, state: AttemptState, identity: Identity, *, stalled: bool) -> str:
        """Return why the next fallback gets the requests that a round's jobs left open; empty if it does not.

        Args:
            state: the state of the round.
            identity: the identity of the whole input.
            stalled: whether jobs are known to have been cancelled because they did not leave the queue.
        """
        if not self.has_next(state):
            return ""
        late = [
            job
            for job in self._shared.settler.ledger.at_hand
            if job.name not in state.done and not is_journaled(job.name) and self._settings.is_stalled(job)
        ]
        if late:
            self._shared.settler.ledger.times.note_left(late)
            return f"{', '.join(job.name for job in late)} did not leave the queue in time"
        return "a job did not leave the queue in time" if stalled else self.why_next(state, identity)

    def _found(self, identity: Identity) -> int:
        """Return the last fallback of which an earlier attempt left a job or a journal; 0 if there is none.

        Raises:
            CallError: a list could not be read, so it is not known what is in it.
        """
        if self._furthest is None:
            self._furthest = 0 if self._task.is_first_try else self._look(identity)
        return self._furthest

    def _look(self, identity: Identity) -> int:
        since = self._task.owner.run_begin
        numbers = [0]
        for conn_id in dict.fromkeys([None, *(self.conn_id(n + 1) for n in range(len(self._steps)))]):
            finder = JobFinder(JobWatcher(self.client(conn_id), self._task.open_client))
            kin = finder.find(identity, since)
            if conn_id is not None:
                finder.cancel_others(identity, kin)
            numbers += [round_of(job.display_name) for job in kin if identity.is_family(job)]
        rounds = range(FALLBACK_ROUNDS, FALLBACK_ROUNDS * (len(self._steps) + 1))
        if (results_uri := self._settings.file_uri) is not None:  # a table has no journal beside it
            kept = Journals(self._client, results_uri, self._settings.model).since(identity, rounds)
            numbers += [round_of(job.display_name) for job in kept]
        return max(map(fallback_of, numbers))

    def _made(self, number: int) -> Way:
        first, *more = self._steps[number - 1]
        after = [one for step in self._steps[number:] for one in step]
        client = self.client(first.conn_id)
        settings = replace(
            self._settings,
            model=first.model or self._settings.model,
            conn_id=first.conn_id or self._settings.conn_id,
            fallbacks=after or None,
        )
        watcher = JobWatcher(client, self._task.open_client)
        shared = Shared(settings, self._task, client, watcher, JobFinder(watcher), self._shared.settler)
        return Way([first, *more], shared)


def _steps(fallbacks: tuple[Fallback, ...]) -> list[list[Fallback]]:
    """Group fallbacks: those sent as immediate calls form one group, because they share a round and its journal."""
    jobs = [[one] for one in fallbacks if not one.at_once]
    last = [one for one in fallbacks if one.at_once]
    return [*jobs, last] if last else jobs
