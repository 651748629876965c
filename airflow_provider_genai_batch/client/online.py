"""Sends requests as immediate calls: lines of requests in, lines of results out, as a batch job would write them.

Requests are streamed: memory holds only those of the calls in progress, and about as many that wait for a retry.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.aio import AsyncGenAIBatchClient
from airflow_provider_genai_batch.client.calls import Call
from airflow_provider_genai_batch.client.deadlines import Deadlines
from airflow_provider_genai_batch.exceptions import (
    ApiError,
    CallError,
    OnlineStopped,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.flows.online.patience import RowPatience, RowTries
from airflow_provider_genai_batch.flows.online.refusal import STOPPING, Meaning, read_refusal
from airflow_provider_genai_batch.flows.online.throttle import LEAST_WAIT, Throttle, Ticket
from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN
from airflow_provider_genai_batch.wire import lenient
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.catalog.tiers import check_tier
from airflow_provider_genai_batch.wire.services import online
from airflow_provider_genai_batch.wire.services.http import json_body

_GRACE = 60.0
"""Seconds after the service's own time limit, after which a call is given up."""
_SENT_AT_ONCE = 4
"""Calls to start before other work of the event loop gets its turn, so that starting calls does not block it."""


@dataclass(frozen=True)
class OnlineSettings:
    """Settings for immediate calls.

    Attributes:
        tier: the tier in which requests are served.
        timeout: the service's time limit for one call, in seconds.
        max_calls: the most calls at a time; the client's pool should have as many connections.
        max_unkept: no call starts while this many rows are in progress or have a line that is not kept yet
            (`OnlineRows.kept`), because these are lost if the process dies. None: lines count as kept once yielded.
        patience: how long to try one row.
    """

    tier: Tier = Tier.STANDARD
    timeout: int = 600
    max_calls: int = 128
    max_unkept: int | None = None
    patience: RowPatience = field(default_factory=RowPatience)


@dataclass
class OnlineCounts:
    """Results of the calls so far.

    Attributes:
        calls: calls that were sent.
        answered: rows with an answer.
        given_up: rows with an error instead.
        refused: refused calls by the meaning of the refusal.
        tiers: answered rows by the tier that served them, according to the answers.
        maybe_billed: calls without a complete answer.
        most_held: the most requests that were in memory at the same time.
    """

    calls: int = 0
    answered: int = 0
    given_up: int = 0
    refused: Counter[Meaning] = field(default_factory=Counter)
    tiers: Counter[Tier | None] = field(default_factory=Counter)
    maybe_billed: int = 0
    most_held: int = 0


@dataclass
class _Rows:
    """The rows of one call: a single row, or several for embeddings."""

    rows: list[Mapping[str, Any]]
    tokens: float
    tries: RowTries


class OnlineRows:
    """Sends the requests of one input, once.

    Args:
        client: the client of the connection.
        model: the model, as `read_model` returns it.
        settings: the settings for the calls.

    Raises:
        UnsupportedError: the model or the location does not have this tier; nothing was sent.
    """

    def __init__(self, client: AsyncGenAIBatchClient, model: str, settings: OnlineSettings) -> None:
        config, self._task = client.config, task_of(model)
        check_tier(settings.tier, model, config.backend, self._task, config.location)
        self.counts = OnlineCounts()
        self._client, self._model, self._settings = client, model, settings
        self._throttle = Throttle(most=settings.max_calls)
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, _Rows]] = []
        self._ready = deque[bytes]()
        self._unkept = 0
        self._calls = Deadlines(settings.timeout + _GRACE)
        self._changed = asyncio.Event()
        self._over = False
        self._stop: tuple[Meaning, CallError] | None = None
        self._broken: BaseException | None = None

    async def ask(self, lines: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
        """Yield a line for each request when it is answered or given up.

        Args:
            lines: ``{"key", "request"}`` as `request_lines` writes them; they are read when they are needed.

        Raises:
            OnlineStopped: the service answers no more; the lines of earlier answers are yielded first.
        """
        source = self._grouped(lines)
        try:
            while True:
                self._changed.clear()
                self._throttle.turned(await clock.turn())
                pause = self._send(source)
                while self._ready:
                    yield self._ready.popleft()
                if self._broken is not None:
                    raise self._broken
                if not self._calls and (self._stop or (self._over and not self._waiting)):
                    break
                if pause and not self._changed.is_set():
                    await self._until_changed(pause)
        finally:
            await self._calls.close()
        if self._stop is not None:
            why, cause = self._stop
            raise OnlineStopped(
                why.value, cause, answered=self.counts.answered, maybe_billed=self.counts.maybe_billed
            ) from cause

    def kept(self, lines: int) -> None:
        """Record that this many yielded lines are stored for good. Call it on the event loop."""
        self._unkept -= lines
        self._changed.set()

    async def _until_changed(self, pause: float) -> None:
        if math.isinf(pause):
            await self._changed.wait()
        else:
            await clock.wait(self._changed, pause)

    def _grouped(self, lines: Iterable[bytes]) -> Iterator[_Rows]:
        size = online.MAX_EMBEDDINGS if self._task is Task.EMBED else 1
        remaining = iter(lines)
        while group := [*itertools.islice(remaining, size)]:
            yield self._rows([lenient.loads(line) for line in group], sum(map(len, group)) / BYTES_A_TOKEN)

    def _rows(self, rows: list[Mapping[str, Any]], tokens: float) -> _Rows:
        return _Rows(rows, tokens, RowTries(self._settings.patience, clock.monotonic()))

    # ------------------------------------------------------------ sending

    def _send(self, source: Iterator[_Rows]) -> float:
        """Start the calls that may start now.

        Returns:
            The seconds until more may start; infinite if another event has to come first.
        """
        begun, most = 0, self._settings.max_unkept
        while not self._stop:
            if begun >= _SENT_AT_ONCE or len(self._ready) >= self._settings.max_calls:
                return 0.0  # other work of the event loop comes first, or the caller has lines to read
            if most is not None and self._unkept >= most:
                return math.inf
            now = clock.monotonic()
            if pause := self._throttle.wait(now):
                return pause
            rows = self._next(source, now)
            if rows is None:
                return max(LEAST_WAIT, self._waiting[0][0] - now) if self._waiting else math.inf
            held = len(self._calls) + len(self._waiting) + 1
            self.counts.most_held = max(self.counts.most_held, held)
            self._start(rows, now)
            begun += 1
        return math.inf

    def _next(self, source: Iterator[_Rows], now: float) -> _Rows | None:
        if self._waiting and self._waiting[0][0] <= now:
            return heapq.heappop(self._waiting)[2]
        if self._over or len(self._waiting) >= self._settings.max_calls:
            return None
        rows = next(source, None)
        self._over = rows is None
        return rows

    def _start(self, rows: _Rows, now: float) -> None:
        call = self._call(rows)
        if len(call.request.body or b"") > online.MAX_BODY_BYTES:
            self._too_large(rows)
            return
        self.counts.calls += 1
        self._unkept += len(rows.rows)
        task = self._calls.start(self._perform(rows, call, self._throttle.sent(rows.tokens, now)))
        task.add_done_callback(self._ended)

    def _call(self, rows: _Rows) -> Call[Any]:
        calls, timeout = self._client.calls, self._settings.timeout
        requests = [row["request"] for row in rows.rows]
        if self._task is Task.EMBED:
            return calls.embed(self._model, requests, timeout)
        return calls.generate(self._model, requests[0], self._settings.tier, timeout)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error
        self._changed.set()

    # ------------------------------------------------------------ answers

    async def _perform(self, rows: _Rows, call: Call[Any], ticket: Ticket) -> None:
        try:
            with self._calls.in_time():
                answer = await self._client.perform(call, tries=1)
            responses = [answer] if self._task is Task.GENERATE else answer
            if len(responses) != len(rows.rows):
                msg = f"{len(responses)} embeddings for {len(rows.rows)} requests"
                raise UnreadableAnswer(msg, method=call.method)
        except CallError as error:
            error.method = error.method or call.method
            self._unkept -= len(rows.rows)
            self._refused(rows, ticket, error)
            return
        self._throttle.answered(ticket, online.input_tokens(responses[0]))
        self.counts.answered += len(responses)
        for row, response in zip(rows.rows, responses, strict=True):
            self.counts.tiers[online.served_tier(response)] += 1
            self._ready.append(_line(row, {"response": response}))

    def _refused(self, rows: _Rows, ticket: Ticket, error: CallError) -> None:
        now = clock.monotonic()
        refusal = read_refusal(error, flex=self._settings.tier is Tier.FLEX)
        self._throttle.refused(ticket, refusal, now)
        self.counts.refused[refusal.meaning] += 1
        self.counts.maybe_billed += refusal.meaning is Meaning.LOST
        if refusal.meaning in STOPPING:
            self._stop = self._stop or (refusal.meaning, error)
        elif refusal.meaning is Meaning.ROW and len(rows.rows) > 1:
            self._one_by_one(rows, now)
        elif (pause := rows.tries.after(refusal, now)) is not None:
            self._wait(rows, now + pause)
        else:
            self._give_up(rows, error)

    def _wait(self, rows: _Rows, until: float) -> None:
        heapq.heappush(self._waiting, (until, next(self._order), rows))

    def _one_by_one(self, rows: _Rows, now: float) -> None:
        """Send several rows one by one, to find out which of them was refused."""
        for row in rows.rows:
            self._wait(self._rows([row], rows.tokens / len(rows.rows)), now)

    def _give_up(self, rows: _Rows, error: CallError) -> None:
        self.counts.given_up += len(rows.rows)
        said: dict[str, Any] = {"message": str(error)}
        if isinstance(error, ApiError):
            said = {"code": error.code, "message": error.message, "status": error.status}
        self._unkept += len(rows.rows)
        self._ready.extend(_line(row, {"error": said}) for row in rows.rows)

    def _too_large(self, rows: _Rows) -> None:
        if len(rows.rows) > 1:
            self._one_by_one(rows, clock.monotonic())
            return
        self.counts.given_up += 1
        self._unkept += 1
        msg = f"The request is larger than the {online.MAX_BODY_BYTES} bytes of a call; it was not sent."
        said = {"code": 400, "message": msg, "status": "INVALID_ARGUMENT"}
        self._ready.append(_line(rows.rows[0], {"error": said}))


def _line(row: Mapping[str, Any], said: Mapping[str, Any]) -> bytes:
    """Return a line of results, with the fields beside the request, as Vertex AI writes it."""
    beside = {name: value for name, value in row.items() if name != "request"}
    return json_body({**beside, **said}) + b"\n"
