"""Find or create: one job, whatever becomes of the create call."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.emulator import Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    BadRequest,
    CreateOutcomeUnknown,
    JobTimedOut,
    PermissionDenied,
    ServerError,
    TransportError,
)
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.identity import Identity
from airflow_provider_genai_batch.flows.steps import Create, Sleep
from airflow_provider_genai_batch.flows.submit import LOOKS_AFTER_LOSS, submit, usable
from airflow_provider_genai_batch.models import BatchJob, JobCounts, JobState
from airflow_provider_genai_batch.models.base import Backend
from tests.flows.desk import IDENTITY, NAME, Desk


def _method(desk: Desk, verb: str) -> str:
    return f"{desk.place.service}.{verb}"


def test_the_first_attempt_creates_without_looking(desk: Desk) -> None:
    job = desk.submit()
    assert desk.steps == ["Place", "Create"]
    assert [one["name"] for one in desk.emulator.jobs] == [job.name]
    assert job.display_name == NAME


def test_a_later_attempt_finds_the_job_and_places_nothing(desk: Desk) -> None:
    first = desk.submit()
    desk.steps.clear()
    assert desk.submit(look_first=True).name == first.name
    assert desk.steps == ["Find"]
    assert desk.posts() == 1


def test_a_job_that_ended_well_is_found_too(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    first = desk.submit()
    assert desk.submit(look_first=True).name == first.name


def test_a_later_attempt_that_finds_no_job_in_several_looks_creates_one(desk: Desk) -> None:
    desk.submit(look_first=True)
    assert desk.steps == ["Find", *["Sleep", "Find"] * len(LOOKS_AFTER_LOSS), "Place", "Create"]
    assert desk.naps == list(LOOKS_AFTER_LOSS)


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED", "EXPIRED"])
def test_a_job_that_ended_badly_is_replaced(desk: Desk, end: str) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end=end))
    first = desk.submit()
    desk.client.get(first.name)
    second = desk.submit(look_first=True)
    assert second.name != first.name
    assert desk.posts() == 2


def test_jobs_of_other_identities_and_rounds_are_left_alone(desk: Desk) -> None:
    for other in (
        Identity("a" * 64, "c" * 64),
        Identity("d" * 64, "b" * 64),
        Identity("a" * 64, "b" * 64, 1),
    ):
        desk.submit(identity=other)
    assert desk.submit(look_first=True).name == desk.emulator.jobs[-1]["name"]
    assert desk.posts() == 4


def test_a_look_up_that_fails_is_not_an_empty_one(desk: Desk) -> None:
    desk.emulator.faults.add(_method(desk, "list"), Fault.error(503))
    with pytest.raises(ServerError):
        desk.submit(look_first=True)
    assert desk.posts() == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault.lost_reply(),
        Fault.unreadable(),
        Fault.truncated(),
        Fault.error(500, acted=True),
        Fault.html(504, acted=True),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)
@pytest.mark.parametrize("lag", [0, len(LOOKS_AFTER_LOSS) - 1])
def test_a_create_whose_reply_is_lost_is_found_and_not_sent_again(desk: Desk, fault: Fault, lag: int) -> None:
    desk.emulator.script(JobScript(list_lag=lag))
    desk.emulator.faults.add(_method(desk, "create"), fault)
    job = desk.submit()
    assert desk.posts() == 1
    assert [one["name"] for one in desk.emulator.jobs] == [job.name]
    assert desk.steps.count("Find") == lag + 1


def test_a_create_that_never_arrived_is_sent_again_after_looking(desk: Desk) -> None:
    desk.emulator.faults.add(_method(desk, "create"), Fault.drop())
    job = desk.submit()
    assert (desk.posts(), len(desk.emulator.jobs)) == (2, 1)
    assert desk.steps.count("Find") == len(LOOKS_AFTER_LOSS)
    assert desk.emulator.jobs[0]["name"] == job.name


@pytest.mark.parametrize("fault", [Fault.drop(), Fault.error(503), Fault.error(403), Fault.unreadable()])
def test_who_cannot_look_does_not_create_again(desk: Desk, fault: Fault) -> None:
    from dataclasses import replace

    desk.emulator.faults.add(_method(desk, "create"), Fault.lost_reply())
    desk.emulator.faults.add(_method(desk, "list"), replace(fault, times=len(LOOKS_AFTER_LOSS)))
    with pytest.raises(CreateOutcomeUnknown, match="may be running and may be billed") as caught:
        desk.submit()
    assert caught.value.display_name == NAME
    assert desk.posts() == 1


def test_a_look_that_succeeds_in_the_end_is_enough(desk: Desk) -> None:
    desk.emulator.faults.add(_method(desk, "create"), Fault.lost_reply())
    desk.emulator.faults.add(_method(desk, "list"), Fault.error(503, times=len(LOOKS_AFTER_LOSS) - 1))
    desk.submit()
    assert (desk.posts(), len(desk.emulator.jobs)) == (1, 1)


def test_a_create_that_stays_unclear_until_the_deadline_is_not_sent_for_ever(desk: Desk) -> None:
    desk.emulator.faults.add(_method(desk, "create"), Fault.error(500))
    with pytest.raises(CreateOutcomeUnknown):
        desk.submit(budget=sum(LOOKS_AFTER_LOSS))
    assert desk.posts() == 1


def test_an_old_dead_job_is_not_taken_for_the_one_whose_reply_was_lost(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end="FAILED"))
    old = desk.submit()
    desk.client.get(old.name)
    desk.emulator.script(JobScript(list_lag=2))
    desk.emulator.faults.add(_method(desk, "create"), Fault.lost_reply())
    job = desk.submit(look_first=True)
    assert job.name != old.name
    assert (desk.posts(), len(desk.emulator.jobs)) == (2, 2)


def test_a_lost_job_that_failed_meanwhile_is_the_one(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end="FAILED"))
    desk.emulator.faults.add(_method(desk, "create"), Fault.lost_reply())
    job = desk.submit()
    assert job.state is JobState.FAILED
    assert desk.posts() == 1


def test_a_refusal_for_lack_of_quota_is_waited_out_with_its_hint(desk: Desk) -> None:
    desk.emulator.faults.add(_method(desk, "create"), Fault.error(429, retry_delay="28s"))
    desk.emulator.faults.add(_method(desk, "create"), Fault.error(429, retry_after=400))
    desk.submit()
    assert desk.steps == ["Place", "Create", "Sleep", "Create", "Sleep", "Create"]
    assert [28 <= desk.naps[0] <= 29, 400 <= desk.naps[1] <= 401] == [True, True]
    assert (desk.posts(), len(desk.emulator.jobs)) == (3, 1)


def test_a_refusal_without_a_hint_is_waited_out_longer_and_longer(desk: Desk) -> None:
    desk.emulator.faults.add(_method(desk, "create"), Fault.error(429, times=12))
    desk.submit(budget=10_000)
    assert desk.naps[0] <= 1
    assert 150 <= desk.naps[-1] <= 300


def test_a_refusal_until_the_deadline_is_a_time_out_with_nothing_created(desk: Desk) -> None:
    desk.emulator.faults.add(
        _method(desk, "create"), Fault.error(429, "Quota exceeded.", retry_after=600, times=6)
    )
    with pytest.raises(JobTimedOut, match=r"Quota exceeded.*Nothing was created") as caught:
        desk.submit(budget=3500)
    assert caught.value.job_names == ()
    assert desk.emulator.jobs == []


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (403, PermissionDenied)])
def test_a_refusal_for_good_is_passed_on_at_once(desk: Desk, status: int, kind: type[Exception]) -> None:
    desk.emulator.faults.add(_method(desk, "create"), Fault.error(status))
    with pytest.raises(kind):
        desk.submit()
    assert desk.steps == ["Place", "Create"]


def test_no_token_means_that_nothing_was_sent_and_nothing_is_looked_for() -> None:
    clock = 0.0
    flow = submit(IDENTITY, NAME, look_first=False, deadline=100.0, clock=lambda: clock)
    steps = []

    def act(step: object) -> None:
        nonlocal clock
        steps.append(type(step).__name__)
        if isinstance(step, Create):
            msg = "no route"
            raise TransportError(msg, method="oauth.token")
        clock += step.seconds if isinstance(step, Sleep) else 0

    with pytest.raises(TransportError, match="no route"):
        drive(flow, act)
    assert set(steps) == {"Place", "Create", "Sleep"}
    assert 30 < clock <= 100


@pytest.mark.parametrize(("answered", "taken_up"), [(4, True), (0, False), (None, False)])
def test_an_expired_job_that_answered_rows_is_not_paid_again(answered: int | None, taken_up: bool) -> None:
    expired = BatchJob(
        name="batches/a", backend=Backend.GEMINI, state=JobState.EXPIRED, counts=JobCounts(succeeded=answered)
    )
    assert (usable([expired]) is expired) is taken_up


def test_a_job_that_asks_what_is_not_asked_any_more_is_cancelled(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    old = desk.submit(identity=Identity("a" * 64, "c" * 64))
    new = desk.submit(look_first=True)
    assert new.name != old.name
    assert [job["cancel_requested"] for job in desk.emulator.jobs] == [True, False]


def test_a_job_of_another_task_is_left_alone(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    desk.submit(identity=Identity("d" * 64, "b" * 64))
    desk.submit(look_first=True)
    assert [job["cancel_requested"] for job in desk.emulator.jobs] == [False, False]
