"""The third loop beside `flows.drive`: carries out a waiting flow with a shared poller, without a task per look."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from airflow_provider_genai_batch.client.jobs import cancel_job
from airflow_provider_genai_batch.client.polling.poller import JobPoller
from airflow_provider_genai_batch.client.polling.watched_job import WatchedJob
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.flows.steps import Look, Sleep

T = TypeVar("T")


async def drive_with_poller(flow: Generator[Any, Any, T], names: Sequence[str], poller: JobPoller) -> T:
    """Carry out a flow of looks, pauses and cancellations, and return what it returns.

    A pause and the looks after it are one question to the poller, for all jobs that have not ended. The flow goes on
    inside the poller's round; this coroutine wakes up for cancellations and the end.

    Args:
        flow: `flows.watch.watch`.
        names: the jobs it looks at.
        poller: of the connection.
    """
    polled, client = _PolledFlow(flow, names, poller), poller.client
    try:
        step = await polled.go()
        while True:
            if isinstance(step, _End):
                return step.value  # type: ignore[no-any-return]  # StopIteration carries Any
            try:
                cancel = cancel_job(client.calls, step.name, only_if=step.only_if, is_new=step.is_new)
                became = await client.run(cancel)
            except GenAIBatchError as error:
                step = await polled.go(error=error)
            else:
                step = await polled.go(became)
    finally:
        polled.close()


class _End:
    """What a flow returned."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _PolledFlow:
    """One flow and its jobs. `on_answer` is called by the poller and runs the flow in its own trigger's context.

    The flow spends its pauses where it asked for them, and looks when the answers are there: what it needs for a look
    has gone again when the look is over, instead of growing old for the garbage collector.
    """

    __slots__ = (
        "_asked",
        "_context",
        "_errors",
        "_flow",
        "_looking",
        "_poller",
        "_step",
        "_wanted",
        "_watched",
    )

    def __init__(self, flow: Generator[Any, Any, Any], names: Sequence[str], poller: JobPoller) -> None:
        self._flow = flow
        self._poller = poller
        self._context = contextvars.copy_context()
        self._watched = tuple(poller.watch(name, self) for name in names)
        self._asked = False
        self._errors: dict[str, Exception] | None = None
        self._wanted: WatchedJob | None = None
        self._looking = False
        self._step: asyncio.Future[Any] | None = None

    def go(self, result: Any = None, error: Exception | None = None) -> asyncio.Future[Any]:
        """Go on with a step's result or error until a step that is not the poller's, or the end."""
        self._step = asyncio.get_running_loop().create_future()
        self._run(result, error)
        return self._step

    def close(self) -> None:
        """Take the open questions back."""
        for watched in self._watched:
            self._poller.leave(watched)
        self._flow.close()

    def on_answer(self, watched: WatchedJob, error: Exception | None) -> None:
        """Take an answer; go on if the flow waits for it."""
        if error is not None:
            self._errors = {**(self._errors or {}), watched.name: error}
        if watched is self._wanted:
            self._wanted = None
            self._run(*(self._seen(watched) if self._looking else (None, None)))

    def _run(self, result: Any, error: Exception | None) -> None:
        step: Any
        assert self._step is not None  # noqa: S101 - `go` comes first
        try:
            while True:
                if error is not None:
                    step = self._context.run(self._flow.throw, error)
                else:
                    step = self._context.run(self._flow.send, result)
                self._looking = isinstance(step, Look)
                if self._looking:
                    if not self._asked:
                        self._ask(0.0)
                    watched = next(watched for watched in self._watched if watched.name == step.name)
                    if watched.open:
                        self._wanted = watched
                        return
                    result, error = self._seen(watched)
                elif isinstance(step, Sleep):
                    self._wanted = self._ask(step.seconds)
                    return
                else:
                    self._answer(step)
                    return
        except StopIteration as end:
            self._answer(_End(end.value))
        except Exception as problem:  # noqa: BLE001 - it is the coroutine's, not the poller's
            if not self._step.done():
                self._step.set_exception(problem)

    def _answer(self, step: Any) -> None:
        if self._step is not None and not self._step.done():
            self._step.set_result(step)

    def _ask(self, after: float) -> WatchedJob:
        """Ask about all jobs that are not known to have ended; return the one whose answer ends the pause."""
        self._asked, self._errors = True, None
        going = [watched for watched in self._watched if watched.job is None or not watched.job.done]
        for watched in going:
            self._poller.ask(watched, after)
        return going[0]

    def _seen(self, watched: WatchedJob) -> tuple[Any, Exception | None]:
        return watched.job, (self._errors or {}).pop(watched.name, None)
