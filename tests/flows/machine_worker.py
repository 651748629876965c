"""A worker that carries out one attempt of a task, a step at a time, so that it can be stopped anywhere.

It does what the operator, the trigger and the job desk do with the flows, without their input and output.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError

from airflow_provider_genai_batch.client.jobs import cancel_job, find_jobs
from airflow_provider_genai_batch.exceptions import GenAIBatchError, JobCancelled
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.outcome.settle import Done, settle
from airflow_provider_genai_batch.flows.steps import (
    AwaitCapacity,
    Cancel,
    Create,
    Discard,
    Fetch,
    Find,
    Land,
    Look,
    Place,
    Recall,
    RecallAll,
    Remember,
    Sleep,
)
from airflow_provider_genai_batch.flows.submission.attempt import Attempt, Found
from airflow_provider_genai_batch.flows.submission.search import STALE
from airflow_provider_genai_batch.flows.submission.submit import submit
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why, watch
from airflow_provider_genai_batch.hooks.state_store.records import JobRecords
from airflow_provider_genai_batch.models import BatchJob, JobState, RowCounts
from airflow_provider_genai_batch.models.jobs.identity import Identity
from tests.flows.machine_service import ROWS, Job, carry_out

if TYPE_CHECKING:
    from tests.flows.machine_world import Task, World

BUDGET = 6 * 3600.0
POLL = 60.0


class Left(Exception):
    """The task left its slot to wait for capacity."""


class Restarted(Exception):
    """The triggerer was restarted and runs the trigger anew."""


class Unheard(Exception):
    """An attempt that is not Airflow's any more had something to tell it."""


@dataclass(frozen=True)
class Withdraw:
    """Cancel what is waited for, because the task was killed while it submitted."""


class Rows:
    """What landing a job's rows tells of them."""

    def __init__(self, job: Job) -> None:
        self.rows_read = job.ok + job.bad + job.gone
        left = ROWS - self.rows_read
        self.counts = RowCounts(total=ROWS, ok=job.ok, error=job.bad, cancelled=job.gone, missing=left)
        self.usage = self.digest = self.saved = None
        self.checked: tuple[()] = ()
        self.commonest: dict[str, int] = {}
        self.finish_reasons: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.tiers: dict[str, int] = {}

    def came_of(self, _job: str) -> int:
        """Tell how many rows there are of a job."""
        return self.rows_read

    def causes(self) -> str:
        """Say why rows failed."""
        return ""


Fault = Callable[[str], Exception]
ANSWERS = (GenAIBatchError, AirflowRuntimeError, Left, Unheard)
"""What a step may raise into its flow."""


class Worker:
    """One attempt.

    Attributes:
        pending: the step that it is about to carry out.
        answer: what the pending step gave, if it was carried out already: a value and an error.
        end: what it came to; None while it is at work.
        looked: when it last looked for jobs, or began.
        due: not longer ago than this it should have looked when it came to its create call.
        asked: when it came to its pending step.
        orphan: Airflow gave it up, but it lives on.
        mine: jobs it created since it last began to submit.
    """

    def __init__(self, world: World, task: Task, identity: Identity, *, reattach: bool) -> None:
        self.world, self.task, self.identity, self.reattach = world, task, identity, reattach
        self.name = f"{task.key[0]}{task.tries} asking {identity.fingerprint[0]}"
        self.again = task.tries > 1
        self.display_name = identity.display_name("nightly")
        ti = SimpleNamespace(try_number=task.tries)
        self.records = JobRecords({"task_state_store": task.store.line(self), "ti": ti})  # type: ignore[typeddict-item]
        self.orphan = self.killed = self.deferred = False
        self.waiting_for: list[str] = []
        self.mine: list[str] = []
        self.submitting = False
        self.begun = self.looked = self.due = self.asked = world.now
        self.admitted, self.intended = False, 0.0
        self.answer: tuple[Any, Exception | None] | None = None
        self.wake = 0.0
        self.end: Any = None
        self._flow = self._routine()
        self.pending: Any = next(self._flow)

    @property
    def at(self) -> str:
        """The name of the pending step."""
        return type(self.pending).__name__

    def __str__(self) -> str:
        return f"{self.name}{' (orphan)' if self.orphan else ''}"

    @property
    def triggered(self) -> bool:
        """Whether a trigger waits for its job."""
        return self.deferred and bool(self.waiting_for)

    def overlooks(self, moment: float) -> bool:
        """Whether it is between looking and creating, and would not see any more what lists show from a moment on."""
        waits = self.answer is not None and isinstance(self.pending, (Place, Sleep, AwaitCapacity))
        looks_again = waits and self.wake - self.looked > STALE and self.wake >= moment
        return self.submitting and not looks_again

    # ------------------------------------------------------------ the operator

    def _routine(self) -> Generator[Any, Any, Any]:
        attempt = Attempt(look_first=self.again, reattach=self.reattach)
        while True:
            try:
                found = yield from self._submitted(attempt)
            except Left as left:
                step = left.args[0]
                self.world.saw("left its slot")
                attempt = Attempt(
                    reattach=self.reattach,
                    before=[*step.before],
                    refusals=step.refusals,
                    deadline=step.deadline,
                    resumed=True,
                )
                yield from self._deferred_for(step.seconds)
                continue
            job, self.waiting_for = found.job, [found.job.name]
            if self.killed and self.world.cancels_on_kill:
                yield Withdraw()
                raise JobCancelled("killed", job_names=[job.name])
            ending = Ending(Why.ENDED, {}) if job.done else (yield from self._watched(job))
            names, self.waiting_for = self.waiting_for, []
            flow = settle(
                ending,
                names,
                max_failed_rows=self.world.allowance,
                results_uri=None,
                clock=self.world.clock,
                reattached=[job.name] if found.reattached else [],
                failed_before=[job.name] if found.reattached and job.state is JobState.FAILED else [],
            )
            outcome = yield from flow
            if isinstance(outcome, Done):
                return outcome.manifest
            self.world.saw("end: submits anew")
            before = (*attempt.before, *outcome.job_names)
            attempt = Attempt(look_first=True, reattach=self.reattach, before=before)

    def _submitted(self, attempt: Attempt) -> Generator[Any, Any, Found]:
        self.mine = []
        flow = submit(
            self.identity,
            self.display_name,
            replace(attempt, since=self.world.begin, begun=self.begun),
            budget=BUDGET,
            clock=self.world.clock,
        )
        found = yield from flow
        self.submitting = False
        self.world.saw(f"{'takes up' if found.reattached else 'creates'}: {found.job.state.value}")
        return found

    def _watched(self, job: BatchJob) -> Generator[Any, Any, Ending]:
        assert job.create_time is not None
        deadline = job.create_time.timestamp() + BUDGET
        plan = WaitPlan(POLL, deadline, deadline, cancel_on_timeout=self.world.cancels_on_timeout)
        self._defers()
        while True:
            try:
                ending = yield from watch([job.name], plan, clock=self.world.clock)
            except Restarted:
                continue
            self.deferred = False
            if self.world.deferrable and self.orphan:
                raise Unheard
            return ending

    def _deferred_for(self, seconds: float) -> Generator[Any, Any, None]:
        self._defers()
        yield Sleep(seconds)
        self.deferred = False

    def _defers(self) -> None:
        if self.world.deferrable and self.orphan:
            raise Unheard
        self.deferred = self.world.deferrable

    # ------------------------------------------------------------ the job desk

    def half_a_step(self, lag: float, takes: float) -> None:
        """Carry the pending step out, or take its answer."""
        if self.answer is not None:
            self.go_on()
        elif isinstance(self.pending, Create) and self.world.keeps_out(self, self.world.now + takes, lag):
            self.world.saw(f"kept out {self.world.airflow}")
            self.world.stop(self)
        else:
            self.world.seen["steps"] += 1
            self.act(None, lag, takes)

    def act(self, fault: Fault | None = None, lag: float = 0.0, takes: float = 0.0) -> None:
        """Carry out the pending step, and keep its answer.

        Args:
            fault: makes the error that is the answer; the call is not acted upon.
            lag: seconds after which lists show a job that this creates.
            takes: seconds that putting the input in place takes, or sending the create call.
        """
        try:
            if fault is not None and self.at not in ("Recall", "Remember"):
                raise fault(self.at)
            self.task.store.down = fault is not None
            self.answer = (self._acted(lag, takes), None)
        except ANSWERS as error:
            self.answer = (None, error)
        finally:
            self.task.store.down = False

    def go_on(self) -> None:
        """Take the answer of the pending step, to come to the next."""
        assert self.answer is not None
        (value, error), self.answer = self.answer, None
        if isinstance(self.pending, Cancel) and error is not None:
            self.world.spared.add(self.pending.name)
        if self.at in ("Sleep", "AwaitCapacity", "Place"):
            self.world.now = max(self.world.now, self.wake)
        self.resume(error, value)

    def resume(self, error: Exception | None, value: Any = None) -> None:
        """Send an answer into the flow."""
        waited = isinstance(self.pending, (Place, AwaitCapacity))
        looked = isinstance(self.pending, Find)
        try:
            self.pending = self._flow.send(value) if error is None else self._flow.throw(error)
            if isinstance(self.pending, Remember):
                # While its last look was under way it could not find that look stale.
                self.due = (self.asked if looked else self.world.now) - STALE
            elif isinstance(self.pending, Find) and waited:
                self.world.saw("looks again, having waited")
            self.asked = self.world.now
        except StopIteration as done:
            self.world.ended(self, done.value)
        except ANSWERS as raised:
            self.world.ended(self, raised)

    def stop(self) -> None:
        """Die, whatever is under way."""
        self.end, self.submitting = "died", False
        self._flow.close()

    def withdraw(self) -> None:
        """Cancel what is waited for."""
        for name in self.waiting_for:
            drive(cancel_job(self.world.service.calls(), name), carry_out)

    def _acted(self, lag: float, takes: float) -> Any:  # noqa: C901, PLR0911, PLR0912 - a step a line
        service, step = self.world.service, self.pending
        match step:
            case Recall():
                self.submitting = True
                return self.records.read()
            case RecallAll():
                return self.records.read_all()
            case Remember(record):
                kept = self.records.write(record)
                self.admitted, self.intended = bool(record.tag and not record.job), self.world.now
                return kept
            case Find(since):
                jobs = drive(find_jobs(service.calls(), self.identity, since), carry_out)
                self.looked = self.world.now
                return jobs
            case Place():
                self.wake = self.world.now + takes
            case Create():
                self.world.now += takes
                if self.killed:
                    raise JobCancelled("killed", job_names=())
                return self.world.create(self, lag).shown(service.backend)
            case AwaitCapacity(seconds):
                if self.world.deferrable:
                    raise Left(step)
                self.wake = self.world.now + seconds
            case Sleep(seconds):
                self.wake = self.world.now + seconds
            case Look(name) | Fetch(name):
                return service.look(name)
            case Cancel(name, only_if):
                return drive(cancel_job(service.calls(), name, only_if=only_if), carry_out)
            case Withdraw():
                self.withdraw()
            case Land(jobs):
                return Rows(service.job(jobs[0].name))
            case Discard():
                pass
        return None
