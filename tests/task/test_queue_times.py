"""A task knows from its earlier manifests how long its jobs take, and makes none that would most likely be late."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.flows.queue import summed_up
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.manifest.queue import JobTime
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.task.landing.job_times import JobTimes
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.night import Night

HOUR = 3600.0


class Nights:
    """Nights of one task, a day apart, each of which knows the manifest of the last."""

    def __init__(self, emulator: Emulator, time: SharedClock, folder: Path) -> None:
        self.emulator, self.time, self.folder = emulator, time, folder
        self.number = 0
        self.earlier: dict[str, Any] | None = None
        self._began = time.time()

    def client(self) -> AbstractContextManager[GenAIBatchClient]:
        return GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="k", host=self.emulator.url))

    def go(
        self, took: float | None = None, *, job: bool = True, ready_in: float | None = None, **how: Any
    ) -> dict[str, Any]:
        """Let a night pass; its job takes so many seconds, None: it is stuck; or no `job` is made."""
        self.time.advance(max(0.0, self._began + self.number * 24 * HOUR - self.time.time()))
        self.number += 1
        lifecycle = Lifecycle.stuck() if took is None else Lifecycle.timed(pending=took / 2, running=took / 2)
        if job:
            self.emulator.script(JobScript(lifecycle=lifecycle))
        ready = {}
        if ready_in is not None:
            then = how.pop("then", ("flex", "standard"))
            at = datetime.fromtimestamp(self.time.time() + ready_in, timezone.utc)
            ready = {"ready_by": ReadyBy(at, then=[*then])}
        settings = {
            "conn_id": "own",
            "model": "gemini-2.5-flash",
            "source": lambda: [{"key": f"k{n}", "contents": f"Night {self.number}, {n}"} for n in range(5)],
            "results_uri": str(self.folder / f"{self.number}.jsonl"),
            "poll_interval": 300,
            **ready,
            **how,
        }
        night = Night(settings, self.client, run=f"night {self.number}", earlier=self.earlier)
        manifest = night.go()
        assert manifest is not None, night.errors
        self.earlier = Manifest.model_validate(manifest).model_dump(mode="json")
        return manifest

    def know(self, *hours: float, days: float = 1, left: bool | None = None) -> None:
        """Have a night before leave times of jobs that were created so many days ago."""
        created = round(self.time.time() - days * 24 * HOUR)
        times = [JobTime(created=created, took=round(one * HOUR), left=left) for one in hours]
        queue = summed_up("gemini-2.5-flash", "own", times)
        self.earlier = {"queue": [queue.model_dump(mode="json")]}

    @property
    def jobs(self) -> int:
        return len(self.emulator.jobs)


@pytest.fixture
def nights(virtual_clock: SharedClock, emulator: Emulator, tmp_path: Path) -> Nights:
    return Nights(emulator, virtual_clock, tmp_path)


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_each_manifest_hands_the_times_of_jobs_on_and_the_log_says_what_is_usual(
    nights: Nights, deferrable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for minutes in (10, 12, 50):
        with caplog.at_level(logging.INFO):
            manifest = nights.go(60.0 * minutes, deferrable=deferrable)
        assert "usually" not in caplog.text
    (queue,) = manifest["queue"]
    assert (queue["model"], queue["conn_id"], queue["jobs"]) == ("gemini-2.5-flash", "own", 3)
    assert (queue["p50"], queue["p90"]) == pytest.approx((720, 3000), abs=2)
    assert [one["took"] for one in queue["recent"]] == pytest.approx([600, 720, 3000], abs=2)
    with caplog.at_level(logging.INFO):
        nights.go(7200.0, deferrable=deferrable)
        planned = nights.go(job=False, plan_only=True)
    usual = "usually 12 min, 9 of 10 within 50 min (3 recent jobs of this task)"
    assert f"Time of a job of gemini-2.5-flash: {usual}." in caplog.text
    assert caplog.text.count(usual) >= 2, "a job of hours is not waited for in silence"
    assert "Time of a job: usually 12 min" in caplog.text
    assert planned["queue"][0]["jobs"] == 4, "the chain goes on through whatever leaves a manifest"


def test_no_job_is_made_where_half_of_the_last_ones_would_have_been_late_and_flex_costs_no_more(
    nights: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    history = (1.0, 1.2, 2.5, 2.5, 2.5)
    nights.know(*history)
    manifest = nights.go(job=False, ready_in=2 * HOUR)
    assert (nights.jobs, manifest["job_names"], manifest["tiers"]) == (0, [], {"flex": 5})
    said = "only 2 of the last 5 jobs of this task ended within"
    assert said in caplog.text
    assert manifest["queue"][0]["jobs"] == 5
    # Where only standard is asked instead, a job that has a chance is cheaper.
    manifest = nights.go(HOUR, ready_in=2 * HOUR, then=("standard",))
    assert (nights.jobs, manifest["tiers"]) == (1, {"batch": 5})
    assert "if it has not ended by then" in caplog.text
    # A week later nobody knows any more, so a job is tried again.
    nights.know(*history, days=8)
    assert nights.go(HOUR, ready_in=2 * HOUR)["tiers"] == {"batch": 5}


def test_a_job_that_was_left_counts_as_one_that_would_have_taken_longer(nights: Nights) -> None:
    manifest = nights.go(None, ready_in=2 * HOUR)
    (queue,) = manifest["queue"]
    assert (queue["jobs"], queue["recent"][0]["left"]) == (1, True)
    assert queue["p50"] > HOUR
    # One that is cancelled may end as SUCCEEDED, with the rows that it has.
    nights.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.4))
    (queue,) = nights.go(job=False, ready_in=2 * HOUR)["queue"]
    assert [one["left"] for one in queue["recent"]] == [True, True]
    nights.know(*[1.5] * 5, left=True)
    assert nights.go(job=False, ready_in=2 * HOUR)["job_names"] == []
    nights.know(*[1.5] * 5, left=True)
    assert nights.go(HOUR, ready_in=12 * HOUR)["tiers"] == {"batch": 5}, "of so long a time they tell nothing"


def test_where_the_usual_time_is_enough_a_job_is_made_and_the_switch_stays_the_last_safe_moment(
    nights: Nights, virtual_clock: SharedClock
) -> None:
    nights.know(*[0.2] * 6)
    begun = virtual_clock.time()
    manifest = nights.go(None, ready_in=3 * HOUR)
    assert manifest["tiers"] == {"flex": 5}
    assert nights.emulator.jobs[-1]["ended"] - begun > 2.5 * HOUR


@pytest.mark.parametrize(
    "manifest", [None, {}, {"queue": None}, {"queue": [{"p50": "soon"}]}, {"queue": 5}], ids=str
)
def test_whatever_an_earlier_run_has_left_a_task_goes_on(manifest: Any) -> None:
    assert JobTimes("own", lambda: manifest).queues([]) == ()
    assert JobTimes("own", lambda: manifest).usual("gemini-2.5-flash", "own") is None


def test_airflow_in_trouble_is_no_trouble_of_the_tasks() -> None:
    def raises() -> None:
        msg = "no answer"
        raise OSError(msg)

    assert JobTimes("own", raises).queues([]) == ()
