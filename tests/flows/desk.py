"""What a worker does with flows, in a few lines of its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from airflow_provider_genai_batch.client.job_params import job_spec
from airflow_provider_genai_batch.client.jobs import cancel_job, find_jobs
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.outcome.settle import Done, settle
from airflow_provider_genai_batch.flows.record import Record
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
from airflow_provider_genai_batch.flows.submission.submit import submit
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why, watch
from airflow_provider_genai_batch.models import BatchJob, Manifest
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.write import land
from tests.client.places import BUCKET, MODEL, Either, lines

IDENTITY = Identity("a" * 64, "b" * 64)
NAME = IDENTITY.display_name("nightly")
HOUR = 3600.0


class Desk:
    """Carries out flows with a client of the emulator, on the emulator's clock.

    Attributes:
        steps: names of the steps that were asked for, in order.
    """

    def __init__(self, place: Either) -> None:
        self.place, self.emulator, self.client = place, place.emulator, place.client
        self.steps: list[str] = []
        self.naps: list[float] = []
        self.keys: list[str] | None = None
        self.record: Record | None = None
        """What is written down; None: nothing is kept, as before Airflow 3.3."""
        self.other_records: list[Record] = []
        """What is written down of the task instance's other jobs."""
        self.shown: Callable[[list[BatchJob]], list[BatchJob]] = lambda jobs: jobs
        """What lists make of what the service lists."""
        self.ahead = 0.0
        """Seconds by which the clock that the flows go by is ahead of the service's."""
        self.remember: Callable[[Record], bool | None] = self._remember
        self.place_input: Callable[[], None] = lambda: None
        self.before_cancel: Callable[[], None] = lambda: None
        """What happens at the service between a flow's last look and its cancellation."""
        self.await_capacity: Callable[[AwaitCapacity], None] = self._sleep

    @property
    def deeds(self) -> list[str]:
        """The steps that do something at the service."""
        return [step for step in self.steps if step not in ("Recall", "Remember")]

    def now(self) -> float:
        """Tell the time."""
        return self.emulator.clock.now_ns() / 1e9 + self.ahead

    def submit(self, *, budget: float = HOUR, identity: Identity = IDENTITY, **attempt: Any) -> BatchJob:
        """Find or create."""
        return self.find(budget=budget, identity=identity, **attempt).job

    def find(self, *, budget: float = HOUR, identity: Identity = IDENTITY, **attempt: Any) -> Found:
        """Find or create, and tell which."""
        flow = submit(
            identity,
            identity.display_name("nightly"),
            Attempt(**attempt),
            budget=budget,
            clock=self.now,
        )
        return drive(flow, lambda step: self.act(step, identity))

    def watch(self, *names: str, **plan: Any) -> Ending:
        """Wait."""
        plan = {
            "poll_interval": 60.0,
            "deadline": self.now() + HOUR,
            "pending_deadline": self.now() + HOUR,
            **plan,
        }
        return drive(watch(names, WaitPlan(**plan), clock=self.now), self.act)

    def settle(self, *names: str, ending: Ending | None = None, allowed: float = 0, **more: Any) -> Manifest:
        """Decide."""
        ended = ending or Ending(Why.ENDED, {})
        flow = settle(ended, names, max_failed_rows=allowed, results_uri=None, clock=self.now, **more)
        outcome = drive(flow, self.act)
        assert isinstance(outcome, Done)
        return outcome.manifest

    def posts(self) -> int:
        """Count create calls."""
        return self.place.posts()

    def act(self, step: Any, identity: Identity = IDENTITY) -> Any:
        self.steps.append(type(step).__name__)
        calls = self.client.calls
        acts: dict[type, Callable[[Any], Any]] = {
            Recall: lambda _: self.record,
            RecallAll: lambda _: [self.record, *self.other_records],
            Remember: lambda step: self.remember(step.record),
            Place: lambda _: self.place_input(),
            AwaitCapacity: self.await_capacity,
            Sleep: self._sleep,
            Find: lambda step: self.shown(self._run(find_jobs(calls, identity, step.since))),
            Create: lambda _: self._create(identity),
            Look: lambda step: self.client.perform(calls.look(step.name), tries=1),
            Fetch: lambda step: self.client.perform(calls.look(step.name), tries=1),
            Cancel: self._cancel,
            Land: lambda step: self._land(step.jobs),
            Discard: lambda _: None,
        }
        return acts[type(step)](step)

    def _sleep(self, step: Sleep | AwaitCapacity) -> None:
        self.naps.append(step.seconds)
        self.emulator.clock.advance(step.seconds)

    def _remember(self, record: Record) -> bool | None:
        self.record = None if self.record is None else record
        return None

    def _run(self, flow: Any) -> Any:
        return drive(
            flow,
            lambda step: self._sleep(step) if isinstance(step, Sleep) else self.client.perform(step, tries=1),
        )

    def _cancel(self, step: Cancel) -> Cancellation:
        self.before_cancel()
        became: Cancellation = self._run(
            cancel_job(self.client.calls, step.name, only_if=step.only_if, is_new=step.is_new)
        )
        return became

    def _create(self, identity: Identity) -> BatchJob:
        settings: dict[str, Any] = {"display_name": identity.display_name("nightly")}
        source: Any = [{"contents": "hi", "key": key} for key in "abc"]
        if self.place.vertex:
            source = f"{BUCKET}/flows/in.jsonl"
            self.place.storage.write(source, [lines("a", "b", "c")])
            settings |= {"dest": f"{BUCKET}/flows/out/", "labels": identity.labels()}
        call = self.client.calls.create(job_spec(self.client.config, MODEL, source, **settings))
        job: BatchJob = self.client.perform(call)
        return job

    def _land(self, jobs: tuple[BatchJob, ...]) -> RowCounter:
        tally = RowCounter(expected=3 * len(jobs), keyed=True, known=self.keys)
        land([chain.from_iterable(map(self.rows, jobs))], tally, None)
        return tally

    def rows(self, job: BatchJob) -> Any:
        return self.client.plain_rows(job)
