"""Runs a waiting flow with a shared poller, without an asyncio task per look: a third loop beside `flows.drive`."""

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
    """Run a flow of looks, pauses and cancellations, and return its result.

    A pause and the looks after it become one question to the poller, for all jobs that have not ended. The flow
    continues inside the poller's round; this coroutine only wakes up for cancellations and for the end.

    Args:
        flow: the generator of `flows.watch.watch`.
        names: the jobs that the flow looks at.
        poller: the poller of the connection.
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
    """The result of a flow."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _PolledFlow:
    """One flow and its jobs. The poller calls `on_answer`, which runs the flow in the context of its own trigger.

    The flow waits at the step of its pause, and runs its looks when the answers are there. So the objects of a look are
    freed when it is over, and do not grow old for the garbage collector.
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
        """Continue with a step's result or error, up to a step that the poller cannot answer, or to the end."""
        self._step = asyncio.get_running_loop().create_future()
        self._run(result, error)
        return self._step

    def close(self) -> None:
        """Withdraw the open questions."""
        for watched in self._watched:
            self._poller.leave(watched)
        self._flow.close()

    def on_answer(self, watched: WatchedJob, error: Exception | None) -> None:
        """Take an answer; continue the flow if it waits for this one."""
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
        except Exception as problem:  # noqa: BLE001 - the coroutine raises it, not the poller
            if not self._step.done():
                self._step.set_exception(problem)

    def _answer(self, step: Any) -> None:
        if self._step is not None and not self._step.done():
            self._step.set_result(step)

    def _ask(self, after: float) -> WatchedJob:
        """Ask about all jobs that are not known to have ended; return the job whose answer ends the pause."""
        self._asked, self._errors = True, None
        going = [watched for watched in self._watched if watched.job is None or not watched.job.done]
        for watched in going:
            self._poller.ask(watched, after)
        return going[0]

    def _seen(self, watched: WatchedJob) -> tuple[Any, Exception | None]:
        return watched.job, (self._errors or {}).pop(watched.name, None)
