"""Polls many jobs of one connection together, by pages of the list if that is cheaper than one by one."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Sequence
from operator import attrgetter

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.aio import AsyncGenAIBatchClient
from airflow_provider_genai_batch.client.garbage import Growth
from airflow_provider_genai_batch.client.jobs import PAGE_COSTS, PAGE_SIZE, is_older
from airflow_provider_genai_batch.client.polling.watched_job import WatchedJob, Watcher
from airflow_provider_genai_batch.client.transport.http import MAX_CONNECTIONS
from airflow_provider_genai_batch.exceptions import PASSING, CallError, GenAIBatchError, QuotaExceeded
from airflow_provider_genai_batch.flows.retry import backoff
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from airflow_provider_genai_batch.wire.services.list_entries import ListEntry

log = logging.getLogger(__name__)

_COALESCE_SECONDS = 0.02
"""Seconds to wait for other looks that are due at about the same time, so that one round answers them all."""
_LONGEST_BACKOFF = 64
"""The most rounds that do not use the list, after it answered too few looks."""
MAX_PARALLEL_LOOKS = MAX_CONNECTIONS - 2
"""The most simultaneous looks by name; the other connections are for cancellations."""
_MAX_FAILURES_IN_A_ROW = 16
"""Failed looks in a row after which the service counts as unavailable for the rest of the round."""


class JobPoller:
    """Answers all looks on one event loop at jobs of one connection.

    A round begins when a look is due. It also answers every look that has waited for a third of its time, so that looks
    at jobs that were submitted at different times come together. It reads the pages of the list as long as they pay.
    Jobs that it does not find there are read by name, and so are jobs that have ended according to the list, because
    lists lag.

    A refusal for too many calls (429) or an unavailable service ends the round for all, and delays the next one.
    No object is created per look: with ten thousand jobs, objects that are created and kept make the garbage collector
    stop the event loop for a fifth of a second at a time.

    Args:
        client: the client of the event loop. The owner of the poller closes it, see `close`.
    """

    def __init__(self, client: AsyncGenAIBatchClient) -> None:
        self.client = client
        self._watched: dict[str, tuple[WatchedJob, ...]] = {}
        self._growth = Growth()
        self._rounds: asyncio.Task[None] | None = None
        self._next = float("inf")
        self._sooner = asyncio.Event()
        self._troubles = 0
        self.trouble: Exception | None = None
        """Why the service gets no calls at this time."""
        self._not_before = 0.0
        self._list_backoff = 0
        self._rounds_without_list = 0

    def watch(self, name: str, watcher: Watcher) -> WatchedJob:
        """Begin to watch a job; no look is made yet."""
        watched = WatchedJob(name, watcher, listed=self.client.calls.lists(name))
        self._watched[_id(name)] = (*self._watched.get(_id(name), ()), watched)
        self._growth.reached(len(self._watched))
        return watched

    def leave(self, watched: WatchedJob) -> None:
        """Stop watching a job."""
        watched.open = False
        left = tuple(other for other in self._watched.pop(_id(watched.name)) if other is not watched)
        if left:
            self._watched[_id(watched.name)] = left

    def ask(self, watched: WatchedJob, after: float) -> None:
        """Look at a job after this many seconds, or somewhat sooner.

        The watcher gets the result or error of ``client.get``; temporary errors (`PASSING`) are passed on as well.
        """
        now = clock.monotonic()
        watched.open, watched.list_says_ended = True, False
        watched.due, watched.welcome_from = now + after, now + after / 3
        if self._rounds is None or self._rounds.done():
            # In an empty context: its log lines do not belong to the trigger that happened to come first.
            create_task = asyncio.get_running_loop().create_task
            self._rounds = contextvars.Context().run(create_task, self._go_round())
        elif watched.due < self._next:
            self._sooner.set()

    async def close(self) -> None:
        """Stop polling, and close the client."""
        if self._rounds is not None:
            self._rounds.cancel()
        self._growth.over()
        await self.client.close()

    # ------------------------------------------------------------ rounds

    async def _go_round(self) -> None:
        try:
            while await self._until_due():
                await self._round()
        except Exception as error:  # noqa: BLE001 - watchers get it, instead of waiting for ever
            for watched in self._open():
                watched.fail(_own(error))

    async def _until_due(self) -> bool:
        """Wait until the first look is due; return whether there is one."""
        while True:
            self._sooner.clear()
            self._next = min((watched.due for watched in self._open()), default=float("inf"))
            pause = self._next - clock.monotonic()
            if pause == float("inf"):
                return False
            if pause <= 0 or not await clock.wait(self._sooner, pause):
                break
        await clock.async_sleep(_COALESCE_SECONDS)
        return True

    async def _round(self) -> None:
        """Answer the looks that are due, and those that soon will be."""
        now = clock.monotonic()
        try:
            if self.trouble is not None and now < self._not_before:
                raise self.trouble.with_traceback(None)  # looks that are due get the error; no call is made
            await self._walk(
                [watched for watched in self._open() if watched.listed and watched.welcome_from <= now], now
            )
            late = self.trouble is not None  # looks that became due meanwhile get the error now
            await self._ask_each(
                [s for s in self._open() if s.list_says_ended or (s.welcome_from if late else s.due) <= now]
            )
            self._troubles, self.trouble = 0, None
        except PASSING as error:
            if error is not self.trouble:
                self._troubles, self.trouble = self._troubles + 1, error
                pause = backoff(self._troubles, error.retry_after)
                self._not_before = clock.monotonic() + pause
                log.info(
                    "The service does not answer status requests (%s); the next ones follow in %.0f s.",
                    error,
                    pause,
                )
            for watched in self._open():
                if watched.due <= now:
                    watched.fail(_own(error))

    def _open(self) -> list[WatchedJob]:
        return [
            watched for watched_jobs in self._watched.values() for watched in watched_jobs if watched.open
        ]

    # ------------------------------------------------------------ together

    async def _walk(self, ready: Sequence[WatchedJob], began: float) -> None:
        """Answer looks from the list, as long as it pays.

        Raises:
            CallError: a page was refused or did not come; it may come later.
        """
        self._rounds_without_list -= 1
        budget = len(ready) // PAGE_COSTS
        if not budget or self._rounds_without_list > 0:
            return
        oldest = _oldest(ready)
        found = pages = 0
        left = len(ready)
        token: str | None = None
        while left > 0 and (pages < budget or found >= pages * PAGE_COSTS) and token != "":
            call = self.client.calls.list_status(page_size=PAGE_SIZE, page_token=token)
            try:
                page = await self.client.perform(call, tries=1)
            except PASSING as error:
                # A first 429 counts for all calls; a second in a row counts for the list only.
                if self._troubles or not isinstance(error, QuotaExceeded):
                    self._learn(0, pages)
                raise
            except CallError as error:  # an account that may read a job need not be allowed to list jobs
                log.info("The list of jobs cannot be read (%s); checking them one by one.", error)
                break
            entries, token = page
            pages += 1
            answered, wanted = self._take(entries, began)
            found, left = found + answered, left - wanted
            if oldest and entries and is_older(self.client.calls.read_entry(entries[-1]), oldest):
                break
        self._learn(found, pages)

    def _take(self, entries: Sequence[ListEntry], began: float) -> tuple[int, int]:
        """Answer looks from a page; return how many, and how many of them accepted an answer at `began`."""
        now = clock.monotonic()
        found = wanted = 0
        for entry in entries:
            for watched in self._watched.get(_id(entry.name), ()):
                if watched.open and watched.listed and watched.welcome_from <= now:
                    found += 1
                    wanted += watched.welcome_from <= began
                    self._see(watched, entry)
        return found, wanted

    def _see(self, watched: WatchedJob, entry: ListEntry) -> None:
        job, shown = watched.job, hash(entry.shown)
        if job is None or shown != watched.shown:
            job = self.client.calls.read_entry(entry)
            watched.list_says_ended = job.done
            watched.shown = None if job.done else shown
        if not watched.list_says_ended:
            watched.answer(job)

    def _learn(self, found: int, pages: int) -> None:
        """Skip the list for longer and longer while it answers less than it costs."""
        worth = pages and found >= pages * PAGE_COSTS
        self._list_backoff = 0 if worth else min(_LONGEST_BACKOFF, self._list_backoff * 2 or 2)
        self._rounds_without_list = self._list_backoff

    # ------------------------------------------------------------ one by one

    async def _ask_each(self, watched_jobs: Sequence[WatchedJob]) -> None:
        """Get jobs by name, some at a time. Jobs whose last look failed come last, as the cause may be theirs alone.

        Raises:
            CallError: the service is unavailable, so the round ends; a later round may succeed.
        """
        todo = iter(sorted(watched_jobs, key=attrgetter("failed")))
        troubles = 0

        async def ask() -> None:
            nonlocal troubles
            for watched in todo:
                if not watched.open:
                    continue
                try:
                    job = await self.client.perform(self.client.calls.look(watched.name), tries=1)
                except GenAIBatchError as error:
                    passing = isinstance(error, PASSING)
                    watched.failed = clock.monotonic() if passing else 0.0
                    troubles = troubles + 1 if passing else 0
                    if isinstance(error, QuotaExceeded) or troubles >= _MAX_FAILURES_IN_A_ROW:
                        for _ in todo:  # drop the rest
                            pass
                        raise
                    watched.fail(error)
                else:
                    troubles, watched.failed = 0, 0.0
                    watched.answer(JobStatus.of(job))

        await asyncio.gather(*(ask() for _ in range(min(MAX_PARALLEL_LOOKS, len(watched_jobs)))))


def _own(error: Exception) -> Exception:
    """Return a copy of an exception for one watcher, because raising the same one makes its traceback grow."""
    try:
        own = type(error).__new__(type(error), *error.args)
    except TypeError:  # it cannot be created in Python, for example Pydantic's
        return error
    vars(own).update(vars(error))
    own.__cause__ = error
    return own


def _id(name: str) -> str:
    """Return the last part of a job's name, because Vertex AI writes the project before it by name or by number."""
    return name.rpartition("/")[2]


def _oldest(watched_jobs: Sequence[WatchedJob]) -> float | None:
    """Return the creation time of the oldest job in seconds since the epoch; None if one of them is not known."""
    times = [
        watched.job.create_time.timestamp()
        for watched in watched_jobs
        if watched.job and watched.job.create_time
    ]
    return min(times) if len(times) == len(watched_jobs) else None
