"""A batch service in memory: jobs, lists that lag, calls that go wrong. It knows nothing of the flows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    CallError,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    ServerError,
    TransportError,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.models import BatchJob, JobCounts, JobState
from airflow_provider_genai_batch.models.base import Backend

ROWS = 4
"""Requests of every job."""
PAGE = 2
"""Jobs a page: a service may send fewer than it was asked for."""
MOVING = ("PENDING", "RUNNING", "HIBERNATING")
LIVE = (*MOVING, "PAUSED")
"""States of jobs that bill, or will when somebody resumes them."""
ENDS = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED")


@dataclass
class Job:
    """A job as the service keeps it.

    Attributes:
        visible: when lists show it, in seconds since the epoch.
        ok, bad, gone: rows that were answered, that failed, and that a cancellation cut off.
        by: whoever created it.
    """

    name: str
    display_name: str
    labels: dict[str, str]
    created: float
    visible: float
    by: Any = field(repr=False)
    state: str = "PENDING"
    ok: int = 0
    bad: int = 0
    gone: int = 0

    @property
    def live(self) -> bool:
        """Whether it bills, or will."""
        return self.state in LIVE

    @property
    def moves(self) -> bool:
        """Whether it may come to another state."""
        return self.live or self.state == "CANCELLING"

    def shown(self, backend: Backend) -> BatchJob:
        """Show it."""
        prefix = "BATCH_STATE_" if backend is Backend.GEMINI else "JOB_STATE_"
        known = self.state in JobState.__members__
        over = self.state in ENDS
        return BatchJob(
            name=self.name,
            backend=backend,
            display_name=self.display_name,
            labels=self.labels,
            state=JobState(self.state) if known else JobState.UNSPECIFIED,
            raw_state=prefix + self.state,
            create_time=datetime.fromtimestamp(self.created, timezone.utc),
            counts=JobCounts(
                total=ROWS, succeeded=self.ok, failed=self.bad + self.gone if over else self.bad
            ),
        )


def refused(kind: type[Any], code: int, *, hint: float | None = None) -> Callable[[str], CallError]:
    """Make an answer with an HTTP status."""
    return lambda method: kind("refused", code=code, retry_after=hint, method=method)


def broken(kind: type[CallError]) -> Callable[[str], CallError]:
    """Make an answer that is none."""
    return lambda method: kind("broke off", method=method)


UNCLEAR: dict[str, Callable[[str], CallError]] = {
    "reset": broken(TransportError),
    "unreadable": broken(UnreadableAnswer),
    "500": refused(ServerError, 500),
}
"""Answers that do not say whether the call was acted upon: each may come before or after it was."""
REFUSALS: dict[str, Callable[[str], CallError]] = {
    "429": refused(QuotaExceeded, 429),
    "429 with a hint": refused(QuotaExceeded, 429, hint=45.0),
    "403": refused(PermissionDenied, 403),
    "no token": lambda _: TransportError("no route", method="oauth.token"),
}
"""Answers to calls that were not acted upon."""


@dataclass
class Service:
    """The service, as a client of either kind sees it."""

    backend: Backend
    clock: Callable[[], float]
    jobs: list[Job] = field(default_factory=list)
    """Newest last."""
    serene: bool = False
    """Whether every job ends well at the next look at it."""

    no_lists_until: float = 0.0
    """Until when lists fail, in seconds since the epoch."""

    def create(self, by: Any, display_name: str, labels: dict[str, str], lag: float) -> Job:
        """Take a job."""
        now = self.clock()
        job = Job(f"batches/{len(self.jobs)}", display_name, labels, now, now + lag, by)
        self.jobs.append(job)
        return job

    def job(self, name: str) -> Job:
        """Give a job by its name."""
        for job in self.jobs:
            if job.name == name:
                return job
        raise NotFound("no such job", code=404, method="batches.get")

    def look(self, name: str) -> BatchJob:
        """Answer batches.get."""
        job = self.job(name)
        if self.serene:
            _come_to_an_end(job)
        return job.shown(self.backend)

    def cancel(self, name: str) -> None:
        """Answer batches.cancel."""
        job = self.job(name)
        if job.live:
            job.state = "CANCELLING"
        elif self.backend is Backend.VERTEX and job.state != "CANCELLING":
            raise PreconditionFailed("it has ended", code=400, method="batches.cancel")

    def page(self, token: str | None, filter_: str | None) -> tuple[list[BatchJob], str | None]:
        """Answer batches.list, newest first."""
        if self.clock() < self.no_lists_until:
            raise UNCLEAR["500"]("batches.list")
        shown = [job for job in reversed(self.jobs) if job.visible <= self.clock() and _matches(job, filter_)]
        begin = int(token or 0)
        more = begin + PAGE < len(shown)
        jobs = [job.shown(self.backend) for job in shown[begin : begin + PAGE]]
        return jobs, str(begin + PAGE) if more else None

    def calls(self) -> Any:
        """Give the calls of a client; `carry_out` carries them out."""
        return SimpleNamespace(
            config=SimpleNamespace(backend=self.backend),
            list_jobs=lambda *, page_size, page_token, filter_: lambda: self.page(page_token, filter_),  # noqa: ARG005
            look=lambda name: lambda: self.look(name),
            cancel=lambda name: lambda: self.cancel(name),
        )


def carry_out(call: Callable[[], Any]) -> Any:
    """Carry out one of `Service.calls`."""
    return call()


def move(job: Job, to: str, answered: int) -> None:
    """Bring a job to a state; if it is an end, with some rows answered."""
    was, job.state = job.state, to
    if to not in ENDS:
        return
    job.ok = answered
    if was == "CANCELLING":
        job.gone = ROWS - answered
    elif to in ("SUCCEEDED", "PARTIALLY_SUCCEEDED"):
        job.bad = ROWS - answered


def _come_to_an_end(job: Job) -> None:
    if job.live:
        move(job, "SUCCEEDED", ROWS)
    elif job.state == "CANCELLING":
        move(job, "CANCELLED", 0)


def _matches(job: Job, filter_: str | None) -> bool:
    if filter_ is None:
        return True
    name, _, value = filter_.removeprefix("labels.").partition("=")
    return job.labels.get(name) == value
