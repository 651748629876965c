"""What a worker does with flows, in a few lines of its own."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.client.jobs import find_jobs
from airflow_provider_genai_batch.client.places import job_spec
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.identity import Identity
from airflow_provider_genai_batch.flows.settle import Fetch, Land, settle
from airflow_provider_genai_batch.flows.steps import Cancel, Create, Find, Look, Place, Sleep
from airflow_provider_genai_batch.flows.submit import submit
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why, watch
from airflow_provider_genai_batch.models import BatchJob, Manifest
from airflow_provider_genai_batch.rows.landing import land
from airflow_provider_genai_batch.rows.tally import Tally
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

    def now(self) -> float:
        """Tell the time."""
        return self.emulator.clock.now_ns() / 1e9

    def submit(
        self, *, look_first: bool = False, budget: float = HOUR, identity: Identity = IDENTITY
    ) -> BatchJob:
        """Find or create."""
        flow = submit(
            identity,
            identity.display_name("nightly"),
            look_first=look_first,
            deadline=self.now() + budget,
            clock=self.now,
        )
        return drive(flow, lambda step: self._act(step, identity))

    def watch(self, *names: str, **plan: Any) -> Ending:
        """Wait."""
        plan = {
            "poll_interval": 60.0,
            "deadline": self.now() + HOUR,
            "pending_deadline": self.now() + HOUR,
            **plan,
        }
        return drive(watch(names, WaitPlan(**plan), clock=self.now), self._act)

    def settle(self, *names: str, ending: Ending | None = None, allowed: float = 0, **more: Any) -> Manifest:
        """Decide."""
        ended = ending or Ending(Why.ENDED, {})
        flow = settle(ended, names, max_failed_rows=allowed, results_uri=None, clock=self.now, **more)
        return drive(flow, self._act)

    def posts(self) -> int:
        """Count create calls."""
        return self.place.posts()

    def _act(self, step: Any, identity: Identity = IDENTITY) -> Any:  # noqa: PLR0911 - a step a line
        self.steps.append(type(step).__name__)
        if isinstance(step, Sleep):
            self.naps.append(step.seconds)
            return self.emulator.clock.advance(step.seconds)
        if isinstance(step, Find):
            return self._run(find_jobs(self.client.calls, identity))
        if isinstance(step, Create):
            return self._create(identity)
        if isinstance(step, Look):
            return self.client.perform(self.client.calls.look(step.name), tries=1)
        if isinstance(step, Cancel):
            return self.client.perform(self.client.calls.cancel(step.name), tries=1)
        if isinstance(step, Fetch):
            return self.client.perform(self.client.calls.look(step.name), tries=1)
        if isinstance(step, Land):
            return self._land(step.jobs)
        assert isinstance(step, Place)
        return None

    def _run(self, flow: Any) -> Any:
        return drive(flow, lambda call: self.client.perform(call, tries=1))

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

    def _land(self, jobs: tuple[BatchJob, ...]) -> Tally:
        tally = Tally(expected=3 * len(jobs), keyed=True, known=self.keys)
        for job in jobs:
            land(self._rows(job), tally, None, compress=False)
        return tally

    def _rows(self, job: BatchJob) -> Any:
        return self.client.rows(job)
