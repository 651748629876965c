"""Looks at many jobs of one connection together: by pages of the list where that is cheaper than one by one."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_genai_batch.client.aio import AsyncGenAIBatchClient
from airflow_provider_genai_batch.client.http import MAX_CONNECTIONS
from airflow_provider_genai_batch.client.jobs import CLOCK_SKEW, PAGE_SIZE
from airflow_provider_genai_batch.exceptions import PASSING, CallError, GenAIBatchError, QuotaExceeded
from airflow_provider_genai_batch.flows.backoff import backoff
from airflow_provider_genai_batch.models import BatchJob

log = logging.getLogger(__name__)

_GATHER = 0.02
"""Seconds given to looks that fall together to come together."""
_PAGE_COSTS = 3
"""A page of the list is worth its while if it answers as many looks."""
_LONGEST_DOUBT = 64
"""Rounds for which a list that was not worth its while is left alone, at most."""
_TOGETHER = MAX_CONNECTIONS - 2
"""Looks by name under way at once: a cancellation still finds a connection."""
_OUTAGE = 16
"""Looks in a row that meet trouble after which the service is taken to be away, for this round."""


class Sight:
    """One job that somebody watches: what is asked about it, and what was seen last.

    Args:
        name: the job.
        listed: whether the connection's list has it.
    """

    __slots__ = ("answer", "asked", "due", "entry", "job", "listed", "name")

    def __init__(self, name: str, *, listed: bool) -> None:
        self.name = name
        self.listed = listed
        self.asked = self.due = 0.0
        self.answer: asyncio.Future[BatchJob] | None = None
        self.entry: Mapping[str, Any] | None = None
        self.job: BatchJob | None = None

    def tell(self, job: BatchJob) -> None:
        """Answer the look."""
        self.job = job
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(job)

    def fail(self, error: BaseException) -> None:
        """Answer the look with trouble."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error)

    @property
    def open(self) -> bool:
        """Whether somebody waits for an answer."""
        return self.answer is not None and not self.answer.done()

    @property
    def ready(self) -> float:
        """The moment from which an answer is welcome: later than at once, sooner than it has to be."""
        return (self.asked + self.due) / 2


class Looker:
    """Answers the looks of everybody on one event loop who watches jobs of one connection.

    A round begins when a look is due. It takes along every look that has waited for half its time, so that looks of
    jobs that were submitted at different times come to meet, and walks the list's pages as far as they pay; what it
    does not find is asked for by name, and so is what the list says has ended before anybody is told: lists lag. Looks
    that nobody waits for any more are forgotten.

    A refusal for too many calls (429) and a service that is away end the round for all, and put the next off.

    Args:
        client: of the event loop; whoever lends the looker closes it.
    """

    def __init__(self, client: AsyncGenAIBatchClient) -> None:
        self.client = client
        self._waiting: set[Sight] = set()
        self._rounds: asyncio.Task[None] | None = None
        self._next = float("inf")
        self._sooner = asyncio.Event()
        self._troubles = 0
        self._trouble: CallError | None = None
        self._not_before = 0.0
        self._doubt = 0
        self._rounds_without_list = 0

    def sight(self, name: str) -> Sight:
        """Begin to watch a job."""
        return Sight(name, listed=self.client.calls.lists(name))

    def ask(self, sight: Sight, after: float) -> asyncio.Future[BatchJob]:
        """Look at a job in so many seconds, or somewhat sooner; cancel the future to take the question back.

        The future raises `CallError` as ``client.get`` does; trouble that may pass (`PASSING`) is not waited out here.
        """
        loop = asyncio.get_running_loop()
        sight.asked = loop.time()
        sight.due = sight.asked + after
        sight.answer = loop.create_future()
        self._waiting.add(sight)
        if self._rounds is None or self._rounds.done():
            # Of nobody's context: what it logs is not the business of the trigger that happened to come first.
            self._rounds = contextvars.Context().run(loop.create_task, self._go_round())
        elif sight.due < self._next:
            self._sooner.set()
        return sight.answer

    async def close(self) -> None:
        """Stop looking, and close the client."""
        if self._rounds is not None:
            self._rounds.cancel()
        await self.client.close()

    # ------------------------------------------------------------ rounds

    async def _go_round(self) -> None:
        try:
            while self._waiting:
                await self._until_due()
                await self._round()
        except Exception as error:  # noqa: BLE001 - whoever waits is told, instead of waiting for ever
            for sight in self._waiting:
                sight.fail(error)
            self._waiting.clear()

    async def _until_due(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            self._sooner.clear()
            self._next = min(sight.due for sight in self._waiting)
            pause = self._next - clock()
            if pause <= 0:
                break
            try:
                await asyncio.wait_for(self._sooner.wait(), pause)
            except asyncio.TimeoutError:
                break
        await asyncio.sleep(_GATHER)

    async def _round(self) -> None:
        """Answer what is due, and by the way what soon will be."""
        clock = asyncio.get_running_loop().time
        now = clock()
        ready = [sight for sight in self._waiting if sight.open and sight.ready <= now]
        try:
            if self._trouble is not None and now < self._not_before:
                raise self._trouble  # whoever is due is told why; the service is not asked
            await self._ask_each(await self._walk(ready, now))
            self._troubles, self._trouble = 0, None
        except PASSING as error:
            if error is not self._trouble:
                self._troubles, self._trouble = self._troubles + 1, error
                pause = backoff(self._troubles, getattr(error, "retry_after", None))
                self._not_before = clock() + pause
                log.info("The service does not answer looks (%s); none for %.0f s.", error, pause)
            for sight in ready:
                if sight.due <= now:
                    sight.fail(error)
        self._waiting = {sight for sight in self._waiting if sight.open}

    # ------------------------------------------------------------ together

    async def _walk(self, ready: list[Sight], now: float) -> list[Sight]:
        """Answer looks from the list; return those that have to be asked for by name."""
        wanted: dict[str, list[Sight]] = {}
        for sight in ready:
            if sight.listed:
                wanted.setdefault(_id(sight.name), []).append(sight)
        self._rounds_without_list -= 1
        budget = len(wanted) // _PAGE_COSTS
        if not budget or self._rounds_without_list > 0:
            return [sight for sight in ready if sight.due <= now]
        by_name = [sight for sight in ready if not sight.listed and sight.due <= now]
        found = pages = 0
        token: str | None = None
        while wanted and pages < budget and token != "":
            call = self.client.calls.glance(page_size=PAGE_SIZE, page_token=token)
            try:
                page = await self.client.perform(call, tries=1)
            except QuotaExceeded:
                raise
            except PASSING:
                self._learn(0, pages)
                raise
            except CallError as error:  # who may look at a job need not be allowed to list them
                log.info("The list of jobs cannot be read (%s); they are looked at one by one.", error)
                break
            pages += 1
            entries, token = page
            for entry in entries:
                sights = wanted.pop(_id(str(entry.get("name"))), ())
                found += len(sights)
                by_name += [sight for sight in sights if not self._seen(sight, entry)]
            if wanted and _beyond(wanted.values(), entries, self.client.calls.read_job):
                break
        self._learn(found, pages)
        return by_name + [sight for sights in wanted.values() for sight in sights if sight.due <= now]

    def _seen(self, sight: Sight, entry: Mapping[str, Any]) -> bool:
        """Answer a look from an entry of the list, unless that says the job has ended."""
        job = sight.job
        if job is None or sight.entry != entry:
            job = self.client.calls.read_job(entry)
            if job.done:
                return False
            sight.entry = entry
        sight.tell(job)
        return True

    def _learn(self, found: int, pages: int) -> None:
        """Leave the list alone for longer and longer while it answers less than it costs."""
        worth = pages and found >= pages * _PAGE_COSTS
        self._doubt = 0 if worth else min(_LONGEST_DOUBT, self._doubt * 2 or 2)
        self._rounds_without_list = self._doubt

    # ------------------------------------------------------------ one by one

    async def _ask_each(self, sights: list[Sight]) -> None:
        """Get jobs by name, some at a time.

        Raises:
            CallError: that is all for this round; it may pass.
        """
        todo = iter(sights)
        troubles = 0

        async def ask() -> None:
            nonlocal troubles
            for sight in todo:
                if not sight.open:
                    continue
                try:
                    job = await self.client.perform(self.client.calls.look(sight.name), tries=1)
                except GenAIBatchError as error:
                    troubles = troubles + 1 if isinstance(error, PASSING) else 0
                    if isinstance(error, QuotaExceeded) or troubles >= _OUTAGE:
                        for _ in todo:  # nobody asks for the rest
                            pass
                        raise
                    sight.fail(error)
                else:
                    troubles = 0
                    sight.tell(job)

        await asyncio.gather(*(ask() for _ in range(min(_TOGETHER, len(sights)))))


def _id(name: str) -> str:
    """Return what a job is called at the end of its name: Vertex AI spells the project by name or by number."""
    return name.rpartition("/")[2]


def _beyond(wanted: Iterable[list[Sight]], entries: list[dict[str, Any]], read: Any) -> bool:
    """Whether all that is still wanted is known to be younger than the last entry of a page."""
    last = read(entries[-1]).create_time if entries else None
    if last is None:
        return False
    for sights in wanted:
        for sight in sights:
            created = sight.job.create_time if sight.job else None
            if created is None or (created - last).total_seconds() < CLOCK_SKEW:
                return False
    return True
