"""The whole state of the emulator, behind one lock."""

from __future__ import annotations

import random
import string
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator.capacity import Capacity, Usage
from airflow_provider_genai_batch.emulator.clock import NANOSECONDS, Clock, VirtualClock, http_text
from airflow_provider_genai_batch.emulator.faults.queue import Faults
from airflow_provider_genai_batch.emulator.jobs.lifecycle import Lifecycle
from airflow_provider_genai_batch.emulator.jobs.progress import Ending, standing
from airflow_provider_genai_batch.emulator.jobs.records import (
    Counts,
    Job,
    StoredFile,
    Upload,
    from_json,
    to_json,
)
from airflow_provider_genai_batch.emulator.jobs.script import JobScript
from airflow_provider_genai_batch.emulator.jobs.states import WAITING
from airflow_provider_genai_batch.emulator.jobs.store import Store
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.respond import Responder
from airflow_provider_genai_batch.emulator.request_log import RequestLog
from airflow_provider_genai_batch.emulator.switches import Switches

_ALPHABET = string.ascii_lowercase + string.digits
_TICK_NS = 1000
_NOT_RUNNING = WAITING | {"CANCELLING", "PAUSED", "UPDATING"}


@dataclass
class Outcome:
    """The result of producing a job's output."""

    counts: Counts
    output: dict[str, Any] | None = None
    state: str | None = None
    error: dict[str, Any] | None = None


Producer = Callable[["World", Job, Ending], Outcome]


@dataclass(frozen=True)
class Settings:
    """The settings that the user chose."""

    lifecycle: Lifecycle
    api_keys: frozenset[str] | None = None
    token_ttl: int = 3600
    switches: Switches = field(default_factory=Switches)


class World:
    """Jobs, files, uploads, scripts and faults, saved to disk as they change."""

    def __init__(
        self, folder: Path, settings: Settings, clock: Clock, responder: Responder, *, keep: bool
    ) -> None:
        """Open a folder and load the records that an earlier process left there.

        Args:
            folder: Where bytes are spooled and records kept.
            settings: The settings that the user chose.
            clock: The clock.
            responder: The simulated model.
            keep: Whether records are kept for a later process.
        """
        self.settings = settings
        self.clock = clock
        self.responder = responder
        self.storage: Any = None
        self.bigquery: Any = None
        self.lock = threading.RLock()
        self.faults = Faults()
        self.requests = RequestLog()
        self.producers: dict[str, Producer] = {}
        self.jobs: dict[str, Job] = {}
        self.order: list[Job] = []
        self.files: dict[str, StoredFile] = {}
        self.uploads: dict[str, Upload] = {}
        self.operations: dict[str, JsonObject] = {}
        self.scripts: list[tuple[str | None, JobScript]] = []
        self.switches = settings.switches
        self.capacity = Capacity()
        self.usage = Usage()
        self.date_skew = 0.0
        """Seconds by which the ``Date`` of replies is ahead of the clock."""
        self.blobs = folder / "blobs"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.closed = False
        self._closing: list[Callable[[], None]] = []
        self._finishing: dict[str, threading.Lock] = {}
        self._last_ns = 0
        self._sequence = 0
        self.store = Store(folder / "emulator.sqlite" if keep else None)
        self._take_up()

    def _take_up(self) -> None:
        for _, obj in self.store.read("job"):
            job = from_json(Job, obj)
            self.jobs[job.name] = job
        self.order = sorted(self.jobs.values(), key=lambda job: job.seq)
        for _, obj in self.store.read("file"):
            stored = from_json(StoredFile, obj)
            self.files[stored.name] = stored
        for _, obj in self.store.read("upload"):
            upload = from_json(Upload, obj)
            self.uploads[upload.id] = upload
        self.operations.update(self.store.read("operation"))
        self._sequence = 1 + max((one.seq for one in self.files.values()), default=0)
        self._last_ns = max((job.created_ns for job in self.order), default=0)
        if isinstance(self.clock, VirtualClock):
            for _, obj in self.store.read("clock"):
                self.clock.restore(obj["offset_ns"])
            self._closing.append(self.clock.listen(self._keep_clock))

    def date(self) -> str:
        """Return the ``Date`` of a reply."""
        return http_text(self.clock.now_ns() + int(self.date_skew * NANOSECONDS))

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call a function whenever the clock is moved, until this world is closed."""
        if isinstance(self.clock, VirtualClock):
            self._closing.append(self.clock.listen(listener))

    def close(self) -> None:
        """Stop listening to the clock, and close the store."""
        self.closed = True
        while self._closing:
            self._closing.pop()()
        self.store.close()

    def _keep_clock(self) -> None:
        self.store.put("clock", [("clock", {"offset_ns": self.clock.offset_ns})])

    def kept_text(self, name: str) -> str | None:
        """Return a text that an earlier process kept."""
        return next((obj["text"] for key, obj in self.store.read("text") if key == name), None)

    def keep_text(self, name: str, text: str) -> None:
        """Keep a text for a later process."""
        self.store.put("text", [(name, {"text": text})])

    def tick(self) -> int:
        """Return the time, never the same microsecond twice, because names and the order of jobs depend on it."""
        with self.lock:
            self._last_ns = max(self.clock.now_ns(), self._last_ns + _TICK_NS)
            return self._last_ns

    def save(self, *records: Job | StoredFile | Upload) -> None:
        """Save the current state of records."""
        for record in records:
            if isinstance(record, Job):
                self.store.put("job", [(record.name, to_json(record))])
            elif isinstance(record, StoredFile):
                self.store.put("file", [(record.name, to_json(record))])
            else:
                self.store.put("upload", [(record.id, to_json(record))])

    def add_job(self, job: Job) -> Job:
        """Add a new job, with the script that waits for it."""
        with self.lock:
            for place, (backend, script) in enumerate(self.scripts):
                if backend in {None, job.backend}:
                    job.script = script
                    del self.scripts[place]
                    break
            job.lifecycle = job.script.lifecycle or self.settings.lifecycle
            job.seq = len(self.order)
            job.updated_ns = job.created_ns
            now = standing(job, job.created_ns)
            # The create reply never shows an ended job. A job that ends at once is found ended by the first look.
            if isinstance(now, str) and now in WAITING:
                job.state = now
            self.jobs[job.name] = job
            self.order.append(job)
            self.save(job)
        return job

    def settle(
        self, jobs: Iterable[Job], *, look: bool = False, listed: bool = False
    ) -> list[tuple[Job, Ending]]:
        """Update the states of jobs; return the jobs whose output must still be produced.

        Args:
            jobs: The jobs.
            look: Whether this counts as a look.
            listed: Whether the look is an appearance in a list page.
        """
        endings: list[tuple[Job, Ending]] = []
        changed: list[Job] = []
        with self.lock:
            now_ns = self.clock.now_ns()
            for job in jobs:
                if job.ended or job.deleted:
                    continue
                if look and (job.lifecycle.list_counts or not listed):
                    job.looks += 1
                    changed.append(job)
                now = standing(job, now_ns)
                if isinstance(now, Ending):
                    endings.append((job, now))
                elif now != job.state:
                    job.state = now
                    job.updated_ns = now_ns
                    if now not in _NOT_RUNNING and job.started_ns is None:
                        job.started_ns = now_ns
                    changed.append(job)
            if changed:
                self.store.put("job", [(job.name, to_json(job)) for job in changed])
        return endings

    def finish(self, endings: Iterable[tuple[Job, Ending]]) -> None:
        """Produce the output of ended jobs. This blocks, so do not call it on the event loop."""
        for job, ending in endings:
            with self.lock:
                guard = self._finishing.setdefault(job.name, threading.Lock())
            with guard:
                if job.ended or job.deleted:
                    continue
                outcome = self.producers[job.backend](self, job, ending)
                with self.lock:
                    job.counts = outcome.counts
                    job.output = outcome.output
                    job.error = outcome.error or ending.error
                    job.state = outcome.state or ending.state
                    job.ended_ns = ending.at_ns
                    job.updated_ns = ending.at_ns
                    if job.started_ns is None and ending.served:
                        job.started_ns = min(ending.at_ns, job.created_ns + _TICK_NS)
                    self.save(job)
                    self._finishing.pop(job.name, None)

    def new_sequence(self) -> int:
        """Return the next number for the order of files."""
        with self.lock:
            self._sequence += 1
            return self._sequence

    def snapshot(self) -> list[dict[str, Any]]:
        """Return all jobs that were ever created, oldest first, as plain values."""
        self.finish(self.settle(list(self.order)))
        with self.lock:
            return [_snapshot(job) for job in self.order]


def _snapshot(job: Job) -> dict[str, Any]:
    counts = job.counts
    return {
        "name": job.name,
        "backend": job.backend,
        "kind": job.kind,
        "state": job.state,
        "display_name": job.display_name,
        "model": job.model,
        "labels": dict(job.resource.get("labels") or {}),
        "input": dict(job.source),
        "rows": {
            "total": counts.total,
            "succeeded": counts.succeeded,
            "failed": counts.failed,
            "pending": counts.pending,
        },
        "looks": job.looks,
        "live": job.live,
        "cancel_requested": job.cancelled_at_look is not None,
        "deleted": job.deleted,
        "error": job.error,
        "output": job.output,
        "created": job.created_ns / NANOSECONDS,
        "ended": None if job.ended_ns is None else job.ended_ns / NANOSECONDS,
    }


def random_name(length: int) -> str:
    """Return random lowercase letters and digits, like ids made by the service."""
    return "".join(random.choices(_ALPHABET, k=length))  # noqa: S311 - a name, not a secret
