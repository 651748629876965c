"""Airflow around the workers, and what is promised whatever happens: broken promises are assertions that fail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_provider_genai_batch.exceptions import (
    CallError,
    CreateOutcomeUnknown,
    GenAIBatchError,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.flows.submission.search import LONGEST_CREATE, LOOKS_AFTER_LOSS
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity
from tests.flows.machine_service import ROWS, Job, Service
from tests.flows.machine_worker import Fault, Worker

PATIENCE = sum(LOOKS_AFTER_LOSS)
"""Seconds for which a job is looked for. What lists hide for longer than that cannot be known, so nothing here does."""
BEGIN = 1_800_000_000.0


@dataclass
class Store:
    """What Airflow keeps of one task instance."""

    kept: dict[str, Any] = field(default_factory=dict)
    down: bool = False
    """Whether Airflow answers with an error."""
    exists: bool = True
    """False before Airflow 3.3."""

    def line(self, worker: Worker) -> Line | None:
        """Give a worker its line to what is kept."""
        return Line(self, worker) if self.exists else None


@dataclass
class Line:
    """A worker's line to Airflow; it is cut when Airflow gives the worker up."""

    store: Store
    worker: Worker

    def get(self, key: str) -> Any:
        """Read."""
        self._check()
        return self.store.kept.get(key)

    def set(self, key: str, value: Any) -> None:
        """Write."""
        self._check()
        self.store.kept[key] = value

    def _check(self) -> None:
        status = 404 if self.worker.orphan else 503 if self.store.down else None
        if status is not None:  # a retry has another id, so whom Airflow gave up is not found any more
            answer = ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status})
            raise AirflowRuntimeError(answer)


@dataclass
class Task:
    """A task instance."""

    key: str
    store: Store
    tries: int = 0
    current: Worker | None = None
    asked: str = ""
    """Fingerprint of the last attempt."""


@dataclass
class World:
    """Airflow, a service and time."""

    seen: Counter[str]
    backend: Backend
    records: bool
    deferrable: bool
    allowance: float
    cancels_on_kill: bool
    cancels_on_timeout: bool
    now: float = BEGIN
    begin: float = BEGIN
    workers: list[Worker] = field(default_factory=list)
    """Those who are at work, orphans too."""
    diary: list[str] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        self.service = Service(self.backend, self.clock)
        self.tasks = [Task(key * 64, Store(exists=self.records)) for key in "ab"]
        self.spared: set[str] = set()
        """Jobs that could not be cancelled. The task's log says so; nobody tries again."""

    @property
    def airflow(self) -> str:
        """Say which Airflow this is."""
        return "with records" if self.records else "without records"

    def clock(self) -> float:
        """Tell the time."""
        return self.now

    def saw(self, what: str) -> None:
        """Note what happened."""
        self.seen[what] += 1
        self.tell(what)

    def tell(self, what: str) -> None:
        """Write it into the diary that is shown with a broken promise."""
        self.diary.append(f"{self.now - BEGIN:9.1f}  {what}")

    def promise(self, kept: Any, what: str) -> None:
        """Fail unless it is kept."""
        if not kept:
            self.broken = True
            raise AssertionError("\n".join([what, *self.diary[-150:], *map(str, self.service.jobs)]))

    # ------------------------------------------------------------ Airflow

    def start(self, task: Task, asked: str, *, reattach: bool) -> Worker:
        """Start the next attempt of a task."""
        task.tries, task.asked = task.tries + 1, asked
        worker = Worker(self, task, Identity(task.key, asked * 64), reattach=reattach)
        task.current = worker
        self.workers.append(worker)
        self.tell(f"{worker} starts")
        return worker

    def current(self) -> list[Worker]:
        """Give the attempts that are Airflow's."""
        return [task.current for task in self.tasks if task.current]

    def give_up(self, worker: Worker) -> None:
        """Hold an attempt for dead, though it lives on, with its line to Airflow cut."""
        self.saw(f"orphan {self.airflow}")
        worker.orphan, worker.task.current = True, None

    def kill(self, worker: Worker, fault: Fault | None) -> None:
        """Kill an attempt as a user does, who kills, clears or marks the task; `fault` befalls the cancel call."""
        if worker.waiting_for and self.cancels_on_kill:
            self.saw(
                "kill"
                + (" cannot cancel" if fault else " cancels")
                + (" deferred" if worker.deferred else "")
            )
            if fault is None:
                worker.withdraw()
        elif not worker.waiting_for:
            self.saw("kill while submitting" + (" deferred" if worker.deferred else ""))
        worker.killed = worker.orphan = True
        worker.task.current = None
        if worker.deferred:
            self.stop(worker)

    def stop(self, worker: Worker) -> None:
        """Stop a worker where it stands."""
        worker.stop()
        self._gone(worker)

    def ended(self, worker: Worker, end: Any) -> None:
        """Take what an attempt came to."""
        worker.end = end
        self._gone(worker)
        self.saw(f"end: {type(end).__name__}")
        self._check_end(worker, end)

    def _gone(self, worker: Worker) -> None:
        self.workers.remove(worker)
        if worker.task.current is worker:
            worker.task.current = None

    # ------------------------------------------------------------ promises

    def own(self, identity: Identity) -> list[Job]:
        """Give the jobs of an identity."""
        return [job for job in self.service.jobs if job.display_name.endswith(identity.tag)]

    def enough(self, job: Job) -> bool:
        """Whether an ended job answered as many rows as the task needs."""
        allowed = self.allowance * ROWS if isinstance(self.allowance, float) else self.allowance
        return not job.live and job.state != "CANCELLING" and 0 < job.ok >= ROWS - int(allowed)

    def create(self, worker: Worker, lag: float) -> Job:
        """Act upon a create call."""
        own = self.own(worker.identity)
        self.tell(f"{worker} creates {len(self.service.jobs)}, shown after {lag} s")
        self.promise(not any(job.live for job in own), f"{worker} pays a second time")
        if worker.reattach:
            # An attempt without reattach renounced what was there before it.
            renounced = max((n for n, job in enumerate(own) if not job.by.reattach), default=0)
            own = own[renounced:]
            self.promise(
                not any(job.state == "CANCELLING" for job in own),
                f"{worker} does not wait for a cancelled job",
            )
            self.promise(not any(self.enough(job) for job in own), f"{worker} pays for rows that are there")
        job = self.service.create(worker, worker.display_name, worker.identity.labels(), lag)
        worker.mine.append(job.name)
        self.promise(len(worker.mine) == 1, f"{worker} created twice")
        return job

    def _check_end(self, worker: Worker, end: Any) -> None:
        """No attempt ends in the belief that nothing was created when something was."""
        if worker.orphan:
            return  # nobody hears of it
        if isinstance(end, (GenAIBatchError, Manifest)) and not isinstance(end, CreateOutcomeUnknown):
            named = getattr(end, "job_names", ())
            withdrawn = isinstance(end, CallError) and end.method == "Withdraw"
            for name in () if withdrawn else worker.mine:
                self.promise(name in named, f"{worker} does not know of {name}: {end}")

    # ------------------------------------------------------------ what nobody can promise

    # ------------------------------------------------------------ the end

    def come_to_rest(self) -> None:
        """Let a last attempt of every task run undisturbed: it succeeds, and nothing else goes on."""
        for worker in [*self.workers]:
            self.stop(worker)
        for job in self.service.jobs:
            if job.state == "PAUSED":
                job.state = "RUNNING"
        self.service.serene, self.service.no_lists_until = True, 0.0
        for task in self.tasks:
            if task.tries:
                self._finish(task)

    def _finish(self, task: Task) -> None:
        shown = [job for job in self.service.jobs if job.visible <= self.now]
        worker = self.start(task, task.asked, reattach=True)
        for _ in range(1000):
            if worker.end is None:
                worker.half_a_step(0.0, 0.0)
        names = getattr(worker.end, "job_names", ())
        used = [self.service.job(name) for name in names]
        if isinstance(worker.end, TooManyFailedRows):
            spoilt = [
                job for job in used if not self.enough(job) and not job.gone and job.state != "CANCELLED"
            ]
            self.promise(used == spoilt, f"{worker} fails without need: {worker.end}")
        else:
            self.promise(isinstance(worker.end, Manifest), f"{worker} does not succeed: {worker.end!r}")
        for job in shown:
            left = job.live and worker.identity.key[:16] in job.display_name
            self.promise(not left or job.name in self.spared, f"{job.name} goes on, and nobody wants it")

    def keeps_out(self, worker: Worker, moment: float, lag: float) -> bool:
        """Whether a worker is not let create at a moment here.

        Two processes that both are between looking and creating cannot know of each other: the services take no key
        that would make them refuse the second. So an orphan is stopped before its create call

        * while the current attempt has begun to look and has not created yet, unless it will look once more, as it must
          if its last look is stale; and
        * when somebody else's job was not to be seen yet at the orphan's last look, or when that should have been.

        Where Airflow keeps records that can only be between the orphan's last write, which Airflow took, and the create
        call: an orphan's writes fail.
        """
        if worker.admitted and moment - worker.intended > LONGEST_CREATE:
            return True
        if not worker.orphan or (self.records and not worker.admitted):
            return False
        current = worker.task.current
        if current and current.identity == worker.identity and current.overlooks(moment + lag):
            return True
        seen = max(worker.looked, worker.due)
        return any(job.by is not worker and job.visible > seen for job in self.own(worker.identity))
