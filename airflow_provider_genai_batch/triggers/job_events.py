"""The trigger for asset watchers: it fires for batch jobs that end, whoever submitted them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Hashable, Mapping, Sequence
from contextlib import aclosing
from fnmatch import fnmatchcase
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.flows.cadence import spread
from airflow_provider_genai_batch.flows.retry import LONGEST_OF_HOURS, backoff
from airflow_provider_genai_batch.hooks.genai_batch import DEFAULT_CONN_ID
from airflow_provider_genai_batch.hooks.state_store.fired_events import FiredEvents
from airflow_provider_genai_batch.models.jobs.job import JobState
from airflow_provider_genai_batch.printable import printable

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client.polling.ended_jobs import Ended
    from airflow_provider_genai_batch.models import BatchJob

    _Base = BaseTrigger
else:
    try:
        from airflow.triggers.base import BaseEventTrigger as _Base
    except ImportError:  # Airflow 2 has no asset watchers
        _Base = BaseTrigger

log = logging.getLogger(__name__)

ENDS = tuple(state.value for state in JobState if state.final)
"""Final states. PAUSED is not one, because a paused job may be resumed."""
_TIMES = ("create_time", "start_time", "end_time")


def _load() -> None:
    """Import the modules that a round needs. It runs in a thread, so that the event loop is not blocked."""
    for module in ("client.polling.ended_jobs", "hooks.poller_pool"):
        import_module(f"airflow_provider_genai_batch.{module}")
    import_module("airflow_provider_genai_batch.client.transport.http").ssl_context()


class GenAIBatchJobsTrigger(_Base):
    """Fires for each matching job of a connection that ends, including jobs that Airflow did not submit.

    Each job that ends while the trigger runs, or ended up to `window` seconds before it started, fires at least once,
    and never twice while the trigger keeps running. If the triggerer is down for longer than `window`, jobs that ended
    before the window do not fire. After a restart, jobs that ended in the window before it fire again; on Airflow 3.3
    and later only those of the last `poll_interval` do, because the asset's state store keeps the names of the others.
    Jobs that are deleted before a round has seen their end do not fire, nor do jobs in another Vertex AI location than
    the connection's.

    On Airflow 3.3 and later, all triggers with the same connection, `window` and `poll_interval` share one walk through
    the list of jobs. After an error of the service or the connection, the trigger logs it and tries again.

    Args:
        conn_id: the Airflow connection.
        display_name: glob for the job's display name; case-sensitive.
        model: glob for the model, with or without the path before its last part.
        labels: labels that the job must have, on Vertex AI; the Gemini API has none.
        states: final states to fire for; None: all of them.
        window: how many seconds before the start of the trigger a job may have ended.
        poll_interval: seconds between two rounds.
        **newer: further arguments that a newer version of this package serialised; ignored with a warning.

    The event's payload says which job it was and how it ended; no requests and no rows.
    """

    def __init__(
        self,
        conn_id: str = DEFAULT_CONN_ID,
        *,
        display_name: str = "*",
        model: str = "*",
        labels: Mapping[str, str] | None = None,
        states: Collection[str] | None = None,
        window: float = 3600,
        poll_interval: float = 60,
        **newer: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's base is not typed
        self.conn_id = conn_id
        self.display_name = display_name
        self.model = model
        self.labels = dict(labels or {})
        self.states = sorted(ENDS if states is None else [states] if isinstance(states, str) else states)
        self.window = window
        self.poll_interval = poll_interval
        if newer:
            log.warning("%s does not have %s and ignores it.", type(self).__name__, ", ".join(newer))
        if not self.states:
            msg = "states is empty, so no job would fire. Leave it out for all ends of jobs."
            raise ValueError(msg)
        if wrong := [name for name, value in self.labels.items() if not isinstance(value, str)]:
            msg = f"labels: the value of {', '.join(map(str, wrong))} is no text. Labels of jobs are texts."
            raise ValueError(msg)
        if unknown := set(self.states) - set(ENDS):
            msg = f"{', '.join(sorted(unknown))}: jobs do not end like this. They end as {', '.join(ENDS)}."
            raise ValueError(msg)
        if not 0 < poll_interval < math.inf:
            msg = f"poll_interval is {poll_interval!r}; give seconds above 0."
            raise ValueError(msg)
        if not 0 <= window < math.inf:
            msg = f"window is {window!r}; give seconds, 0 or more."
            raise ValueError(msg)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the metadata database stores; it contains no secret."""
        kwargs = {
            "conn_id": self.conn_id,
            "display_name": self.display_name,
            "model": self.model,
            "labels": self.labels,
            "states": self.states,
            "window": self.window,
            "poll_interval": self.poll_interval,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncGenerator[TriggerEvent, None]:
        """Watch without sharing, as before Airflow 3.3."""
        _, kwargs = self.serialize()
        async with (
            aclosing(self.open_shared_stream(kwargs)) as rounds,
            aclosing(self.filter_shared_stream(rounds)) as events,
        ):
            async for event in events:
                yield event

    def shared_stream_key(self) -> Hashable:
        """Return the key that is equal for triggers that can share a walk."""
        return (*self.serialize()[:1], self.conn_id, self.window, self.poll_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncGenerator[Sequence[Ended], None]:
        """Yield all jobs that ended recently, round after round. No error ends it.

        A client is kept for one round only, so that a changed connection is noticed.
        """
        await asyncio.to_thread(_load)
        from airflow_provider_genai_batch.client.polling.ended_jobs import EndedJobs
        from airflow_provider_genai_batch.hooks.poller_pool import shared_poller

        jobs, failures = EndedJobs(kwargs["window"]), 0
        while True:
            try:
                async with shared_poller(kwargs["conn_id"]) as poller:
                    found = await poller.client.run(jobs.round(poller.client.calls, clock.time()))
            except Exception as error:  # noqa: BLE001 - a trigger that fails is restarted without its memory
                failures += 1
                pause = backoff(failures, getattr(error, "retry_after", None), longest=LONGEST_OF_HOURS)
                log.warning(
                    "Jobs of %s cannot be listed (%s); again in %.0f s.",
                    kwargs["conn_id"],
                    printable(str(error)),
                    pause,
                )
            else:
                failures = 0
                yield found
                pause = spread(kwargs["poll_interval"])
            await clock.async_sleep(pause)

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[Sequence[Ended]]
    ) -> AsyncGenerator[TriggerEvent, None]:
        """Fire for jobs that match and are new."""
        begun = clock.time()
        fired = FiredEvents(getattr(self, "asset_state_store", None), self.serialize()[1])
        seen: Collection[str] | None = None
        async for ended in shared_stream:
            names = {job.name for job, _ in ended}
            if seen is None:
                seen = {*await fired.recall(), *(job.name for job, at in ended if at < begun - self.window)}
            for job, _ in ended:
                if job.name not in seen and self._wants(job):
                    fired.add(job.name)
                    yield TriggerEvent(_payload(job))  # type: ignore[no-untyped-call]  # nor is its event
            await fired.keep(names)
            seen = names

    def _wants(self, job: BatchJob) -> bool:
        model = job.model or ""
        return (
            job.state.value in self.states
            and fnmatchcase(job.display_name or "", self.display_name)
            and (fnmatchcase(model, self.model) or fnmatchcase(model.rpartition("/")[2], self.model))
            and self.labels.items() <= job.labels.items()
        )


def _payload(job: BatchJob) -> dict[str, Any]:
    """Return the event of a job for a DAG; times are UTC."""
    fields = {"backend", "state", "model", "display_name", "labels", "counts", *_TIMES}
    return {"job_name": job.name, **job.model_dump(mode="json", include=fields)}
