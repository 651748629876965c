"""Waiting: for what ends, through what passes, until a deadline."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import accumulate

import pytest

from airflow_provider_genai_batch.emulator import Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import QuotaExceeded, TransportError
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.outcome.messages import timed_out
from airflow_provider_genai_batch.flows.steps import Cancel, Look
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why, look_once, watch
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation, CancelOutcome
from tests.flows.desk import HOUR, Desk
from tests.flows.jobs import BEGIN, job


def whole(state: JobState) -> BatchJob:
    return BatchJob(name="batches/a", backend=Backend.GEMINI, state=state)


def _method(desk: Desk, verb: str) -> str:
    return f"{desk.place.service}.{verb}"


@pytest.mark.parametrize(
    "end", ["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED", "PAUSED"]
)
def test_waiting_ends_with_the_job_whatever_its_end(desk: Desk, end: str) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle(looks=3), end=end))
    job = desk.submit()
    ending = desk.watch(job.name)
    assert ending.why is Why.ENDED
    assert ending.states[job.name].endswith(end)
    assert desk.steps.count("Look") >= 2


def test_the_first_looks_come_soon_and_later_ones_at_the_interval(gemini_desk: Desk) -> None:
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(running=1800)))
    job = gemini_desk.submit()
    gemini_desk.watch(job.name, poll_interval=60.0)
    assert 1.8 <= gemini_desk.naps[0] <= 2.0
    naps = gemini_desk.naps
    assert all(nap <= 60 for nap in naps)
    # After 600 seconds the first of three requests is answered: then the counters tell when the job may end.
    steady = [
        nap for waited, nap in zip(accumulate(naps, initial=0.0), naps, strict=False) if 240 <= waited < 540
    ]
    assert len(steady) >= 5
    assert all(nap >= 54 for nap in steady)
    assert len(set(steady)) == len(steady)  # no two alike: they are jittered


@pytest.mark.parametrize("hint", ["9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_service_that_wants_to_be_left_alone_for_ever_is_asked_again_in_an_hour(
    gemini_desk: Desk, hint: str
) -> None:
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(running=60)))
    job = gemini_desk.submit()
    gemini_desk.emulator.faults.add("batches.get", Fault.error(429, retry_after=hint))
    late = gemini_desk.now() + 3 * HOUR
    assert gemini_desk.watch(job.name, deadline=late, pending_deadline=late).why is Why.ENDED
    assert HOUR <= max(gemini_desk.naps) <= HOUR + 1


def test_a_job_in_the_queue_is_looked_at_less_often(gemini_desk: Desk) -> None:
    looks = {}
    for state, lifecycle in {
        "queued": Lifecycle.timed(pending=600, running=5),
        "running": Lifecycle.timed(pending=0, running=605),
    }.items():
        gemini_desk.naps.clear()
        gemini_desk.emulator.script(JobScript(lifecycle=lifecycle))
        gemini_desk.watch(gemini_desk.submit().name, poll_interval=300.0)
        looks[state] = len(gemini_desk.naps)
    # Each pause lengthens the wait by a half or by a quarter, jitter apart: 14 to 17 looks or 22 to 26.
    assert looks["queued"] < 20 < looks["running"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault.drop(),
        Fault.error(503),
        Fault.html(502),
        Fault.unreadable(),
        Fault.error(429),
        Fault.truncated(),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)
def test_trouble_that_passes_is_waited_out(desk: Desk, fault: Fault) -> None:
    job = desk.submit()
    desk.emulator.faults.add(_method(desk, "get"), replace(fault, times=8))
    assert desk.watch(job.name).why is Why.ENDED
    assert desk.posts() == 1


def test_a_hint_of_the_service_is_honoured_over_the_interval(gemini_desk: Desk) -> None:
    job = gemini_desk.submit()
    gemini_desk.emulator.faults.add("batches.get", Fault.error(429, retry_after=300))
    gemini_desk.watch(job.name)
    assert 300 <= gemini_desk.naps[0] <= 301


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_job_that_cannot_be_looked_at_any_more_is_lost(desk: Desk, status: int) -> None:
    job = desk.submit()
    desk.emulator.faults.add(_method(desk, "get"), Fault.error(status, times=2 if status == 401 else 1))
    if status == 401 and not desk.place.vertex:
        desk.emulator.faults.clear()
        desk.emulator.faults.add(_method(desk, "get"), Fault.error(status))
    ending = desk.watch(job.name)
    assert ending.why is Why.LOST
    assert job.name in ending.detail
    assert str(status) in ending.detail
    assert "Cancel" not in desk.steps


def test_a_deadline_cancels_what_goes_on(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    job = desk.submit()
    begun = desk.now()
    ending = desk.watch(job.name)
    assert (ending.why, ending.cancelled, ending.detail) == (Why.TIMED_OUT, True, "timeout")
    assert desk.emulator.jobs[0]["cancel_requested"]
    assert begun + HOUR <= desk.now() <= begun + HOUR + 62
    assert desk.steps.count("Cancel") == 1


def test_a_job_that_was_cancelled_at_a_deadline_is_seen_to_its_end(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(running=2 * HOUR)))
    job = desk.submit()
    ending = desk.watch(job.name)
    assert ending.why is Why.TIMED_OUT
    assert ending.states[job.name] in ("BATCH_STATE_SUCCEEDED", "JOB_STATE_CANCELLED")


def test_a_deadline_leaves_the_job_where_that_is_wanted(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    job = desk.submit()
    ending = desk.watch(job.name, cancel_on_timeout=False)
    assert (ending.why, ending.cancelled) == (Why.TIMED_OUT, False)
    assert not desk.emulator.jobs[0]["cancel_requested"]


def test_a_cancellation_that_fails_is_not_claimed(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    job = desk.submit()
    desk.emulator.faults.add(_method(desk, "cancel"), Fault.error(503))
    ending = desk.watch(job.name)
    assert (ending.why, ending.cancelled) == (Why.TIMED_OUT, False)
    assert f"{job.name} could not be cancelled" in ending.detail


def test_a_job_that_ended_before_it_could_be_cancelled_is_judged_by_its_rows(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(running=HOUR + 30)))
    job = desk.submit()
    desk.before_cancel = lambda: desk.emulator.clock.advance(60)
    ending = desk.watch(job.name)
    assert ending.why is Why.ENDED
    assert ending.states[job.name].endswith("SUCCEEDED")
    assert not desk.emulator.jobs[0]["cancel_requested"]


def test_a_job_that_was_deleted_before_it_could_be_cancelled_is_lost(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    job = desk.submit()
    desk.before_cancel = lambda: desk.emulator.faults.add(
        _method(desk, "get"), Fault.error(404, path=job.name, times=2)
    )
    ending = desk.watch(job.name)
    assert ending.why is Why.LOST
    assert "404" in ending.detail


def test_of_several_jobs_only_those_that_could_not_be_cancelled_are_told_to_be_left(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_ignored=True))
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    first, second = (desk.submit().name for _ in range(2))
    desk.emulator.faults.add(_method(desk, "cancel"), Fault.error(403, path=first.rpartition("/")[2]))
    ending = desk.watch(first, second)
    assert (ending.why, ending.cancelled, ending.asked) == (Why.TIMED_OUT, False, True)
    assert f"{first} could not be cancelled" in ending.detail
    assert second not in ending.detail
    said = timed_out(ending, [first, second])
    assert "Cancellation of the others was requested" in said
    assert "It was left running" not in said


def test_a_deadline_holds_through_trouble_too(desk: Desk) -> None:
    job = desk.submit()
    desk.emulator.faults.add(_method(desk, "get"), Fault.error(503, times=1000))
    ending = desk.watch(job.name)
    assert (ending.why, ending.states) == (Why.TIMED_OUT, {})
    desk.emulator.faults.clear()


def test_a_job_that_is_never_seen_until_its_deadline_is_told_with_the_likely_cause(gemini_desk: Desk) -> None:
    job = gemini_desk.submit()
    gemini_desk.emulator.faults.add("batches.get", Fault.error(503, times=1000))
    told = timed_out(gemini_desk.watch(job.name, poll_interval=600.0), [job.name])
    gemini_desk.emulator.faults.clear()
    assert "503" in told
    assert "send such requests as a file" in told
    seen = timed_out(Ending(Why.TIMED_OUT, {}, "timeout"), [job.name])
    assert "no answer" not in seen


def test_a_job_that_ends_at_the_deadline_has_ended(gemini_desk: Desk) -> None:
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(running=HOUR - 1)))
    job = gemini_desk.submit()
    assert gemini_desk.watch(job.name).why is Why.ENDED


def test_the_pending_deadline_holds_while_the_job_is_queued(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("PENDING")))
    job = desk.submit()
    begun = desk.now()
    ending = desk.watch(job.name, pending_deadline=begun + 600)
    assert (ending.why, ending.detail) == (Why.TIMED_OUT, "pending_timeout")
    assert begun + 600 <= desk.now() < begun + 700


def test_the_pending_deadline_does_not_concern_a_job_that_runs(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=60, running=1200)))
    job = desk.submit()
    assert desk.watch(job.name, pending_deadline=desk.now() + 600).why is Why.ENDED


def test_an_unknown_state_is_waited_for_and_warned_of_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    script = JobScript(lifecycle=Lifecycle.at_once(), end="BATCH_STATE_HIBERNATING")
    desk.emulator.script(script)
    job = desk.submit()
    with caplog.at_level(logging.INFO):
        ending = desk.watch(job.name, cancel_on_timeout=False)
    assert ending.why is Why.TIMED_OUT
    assert ending.states[job.name].endswith("HIBERNATING")
    assert sum(1 for record in caplog.records if record.levelno >= logging.WARNING) == 1
    assert desk.steps.count("Look") > 10


def test_several_jobs_are_waited_for_and_ended_ones_not_looked_at_again(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    desk.emulator.script(JobScript(lifecycle=Lifecycle(looks=5)))
    names = [desk.submit().name, desk.submit().name]
    ending = desk.watch(*names)
    assert ending.why is Why.ENDED
    assert set(ending.states) == set(names)
    gets = [
        one["path"].rpartition("/")[2]
        for one in desk.emulator.requests
        if one["method"] == _method(desk, "get")
    ]
    assert gets.count(names[0].rpartition("/")[2]) == 1
    assert gets.count(names[1].rpartition("/")[2]) == 6


def test_only_jobs_that_go_on_are_cancelled(gemini_desk: Desk) -> None:
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck()))
    names = [gemini_desk.submit().name, gemini_desk.submit().name]
    ending = gemini_desk.watch(*names)
    assert ending.why is Why.TIMED_OUT
    assert [one["cancel_requested"] for one in gemini_desk.emulator.jobs] == [False, True]


def test_a_glance_remembers_what_it_saw_before_trouble(gemini_desk: Desk) -> None:
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    names = [gemini_desk.submit().name, gemini_desk.submit().name]
    gemini_desk.emulator.faults.add("batches.get", Fault.error(429, path=names[1]))
    seen: dict[str, object] = {}
    with pytest.raises(QuotaExceeded):
        drive(look_once(names, seen), gemini_desk.act)  # type: ignore[arg-type]  # a dict of jobs
    assert list(seen) == names[:1]


def test_a_plan_and_an_ending_survive_a_trip_through_json() -> None:
    import json

    plan = WaitPlan(1.0, 2.0, 3.0, cancel_on_timeout=False)
    assert WaitPlan(**json.loads(json.dumps(plan.as_dict()))) == plan
    ending = Ending(Why.TIMED_OUT, {"a": "B"}, "timeout", cancelled=True)
    assert Ending.from_dict(json.loads(json.dumps(ending.as_dict()))) == ending


def test_a_job_that_an_earlier_attempt_cancelled_is_waited_for_beyond_its_time(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_looks=40))
    job = desk.submit()
    ending = desk.watch(job.name, deadline=desk.now() - 1, late=True)
    assert ending.why is Why.ENDED


def test_a_job_that_does_not_end_when_cancelled_is_not_waited_for_for_ever(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_ignored=True))
    job = desk.submit()
    begun = desk.now()
    ending = desk.watch(job.name, deadline=begun - 1, late=True)
    assert ending.why is Why.TIMED_OUT
    assert desk.now() < begun + 620


@pytest.mark.parametrize("over", [False, True], ids=["time is left", "time is over"])
def test_a_deadline_is_checked_by_the_clock_of_the_last_look_before_a_cancellation(over: bool) -> None:
    """No look was answered before, so the machine's clock was all there was; it is four days ahead."""
    now, service, plan = BEGIN, BEGIN, WaitPlan(60.0, BEGIN + HOUR, BEGIN + HOUR)
    told, cancelled = False, False

    def act(step: object) -> object:
        nonlocal now, service, told, cancelled
        if isinstance(step, Look):
            if not told:
                msg = "no route"
                raise TransportError(msg, method="batches.get")
            return job(JobState.CANCELLED if cancelled else JobState.SUCCEEDED)
        if isinstance(step, Cancel):
            told = True  # the answer to the reading by name
            if step.only_if is not None and not step.only_if(whole(JobState.RUNNING)):
                return Cancellation(CancelOutcome.SPARED, whole(JobState.RUNNING))
            cancelled = True
            return Cancellation(CancelOutcome.ASKED, whole(JobState.RUNNING))
        now += step.seconds
        service += step.seconds
        return None

    if over:
        service += 2 * HOUR
    now += 4 * 24 * HOUR
    flow = watch(["batches/a"], plan, clock=lambda: service if told else now)
    ending = drive(flow, act)
    assert cancelled is over
    assert ending.why is (Why.TIMED_OUT if over else Why.ENDED)


@pytest.mark.parametrize("left", [True, False])
def test_a_job_that_left_the_queue_before_it_could_be_cancelled_is_not_out_of_time(
    desk: Desk, left: bool
) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=2 * HOUR, running=60)))
    name = desk.submit().name

    def leave() -> None:
        if left:
            desk.emulator.clock.advance(2 * HOUR)

    desk.before_cancel = leave
    ending = desk.watch(name, pending_deadline=desk.now() + 600, deadline=desk.now() + 9 * HOUR)
    assert ending.why is (Why.ENDED if left else Why.TIMED_OUT)
    assert desk.emulator.jobs[0]["cancel_requested"] is not left
