"""Find or create: one job, whatever becomes of the create call."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from airflow_provider_genai_batch.emulator import Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    BEFORE_SENDING,
    BadRequest,
    CreateOutcomeUnknown,
    JobTimedOut,
    PermissionDenied,
    ServerError,
    TransportError,
)
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.steps import AwaitCapacity, Create, Find, Sleep
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.submission.own_jobs import usable
from airflow_provider_genai_batch.flows.submission.search import LONGEST_CREATE, LOOKS_AFTER_LOSS, STALE
from airflow_provider_genai_batch.flows.submission.submit import submit
from airflow_provider_genai_batch.models import BatchJob, BatchSource, JobCounts, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity, file_name
from tests.flows.desk import HOUR, IDENTITY, NAME, Desk


def _method(desk: Desk, verb: str) -> str:
    return f"{desk.place.service}.{verb}"


def test_the_first_attempt_creates_without_looking(desk: Desk) -> None:
    job = desk.submit()
    assert desk.deeds == ["Place", "Create"]
    assert [one["name"] for one in desk.emulator.jobs] == [job.name]
    assert job.display_name == NAME


def test_a_later_attempt_finds_the_job_and_places_nothing(desk: Desk) -> None:
    first = desk.submit()
    desk.steps.clear()
    assert desk.submit(look_first=True).name == first.name
    assert desk.deeds == ["Find", "Look"]
    assert desk.posts() == 1


def test_a_job_that_ended_well_is_found_too(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    first = desk.submit()
    assert desk.submit(look_first=True).name == first.name


def test_a_later_attempt_that_finds_no_job_in_several_looks_creates_one(desk: Desk) -> None:
    desk.submit(look_first=True)
    looks = ["Sleep", "Find"] * len(LOOKS_AFTER_LOSS)
    assert desk.deeds == ["Find", *looks, "Place", "Create", *looks]
    assert desk.naps == list(LOOKS_AFTER_LOSS) * 2


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED", "EXPIRED"])
def test_a_job_that_ended_badly_is_replaced(desk: Desk, end: str) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end=end))
    first = desk.submit()
    desk.client.get(first.name)
    second = desk.submit(look_first=True)
    assert second.name != first.name
    assert desk.posts() == 2


@pytest.mark.parametrize("end", ["CANCELLED", "EXPIRED"])
def test_a_job_without_rows_is_reattached_for_the_job_of_a_later_round_that_completes_it(
    desk: Desk, end: str
) -> None:
    """The later round is known by it alone: without it all would be asked and paid again."""
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end=end, served=0))
    first = desk.submit()
    desk.client.get(first.name)
    later = IDENTITY.piece([first.name.rpartition("/")[2]], 1)
    desk.submit(identity=later)
    assert desk.submit(look_first=True).name == first.name
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
    first, second = (at for at, step in enumerate(desk.steps) if step == "Create")
    assert desk.steps[first:second].count("Find") == len(LOOKS_AFTER_LOSS)
    assert desk.emulator.jobs[0]["name"] == job.name


@pytest.mark.parametrize("fault", [Fault.drop(), Fault.error(503), Fault.error(403), Fault.unreadable()])
def test_who_cannot_look_does_not_create_again(desk: Desk, fault: Fault) -> None:

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
    assert desk.deeds == ["Place", "Create", "AwaitCapacity", "Create", "AwaitCapacity", "Find", "Create"]
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
    assert desk.deeds == ["Place", "Create"]


@pytest.mark.parametrize("method", sorted(BEFORE_SENDING))
def test_no_token_means_that_nothing_was_sent_and_nothing_is_looked_for(method: str) -> None:
    clock = 0.0
    flow = submit(IDENTITY, NAME, Attempt(), budget=100.0, clock=lambda: clock)
    steps = []

    def act(step: object) -> object:
        nonlocal clock
        steps.append(type(step).__name__)
        if isinstance(step, Create):
            msg = "no route"
            raise TransportError(msg, method=method)
        clock += step.seconds if isinstance(step, Sleep) else 0
        return [] if isinstance(step, Find) else None

    with pytest.raises(TransportError, match="no route"):
        drive(flow, act)
    assert steps.count("Find") < steps.count("Create")  # before a create after a long wait, not after each
    assert set(steps) - {"Find"} == {"Recall", "Place", "Remember", "Create", "Sleep"}
    assert 30 < clock <= 100


@pytest.mark.parametrize("state", [JobState.EXPIRED, JobState.CANCELLED])
@pytest.mark.parametrize(("answered", "reattached"), [(4, True), (0, False), (None, False)])
def test_answered_rows_of_a_job_that_was_cut_short_are_not_paid_again(
    state: JobState, answered: int | None, reattached: bool
) -> None:
    short = BatchJob(
        name="batches/a", backend=Backend.GEMINI, state=state, counts=JobCounts(succeeded=answered)
    )
    assert usable(short) is reattached


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


def test_the_intent_is_written_down_before_the_create_and_the_job_after_it(desk: Desk) -> None:
    desk.record = Record()
    job = desk.submit()
    assert desk.steps == ["Recall", "Place", "Remember", "Create", "Remember"]
    assert (desk.record.tag, desk.record.job) == (IDENTITY.tag, job.name)


def test_a_job_that_was_written_down_is_looked_at_and_nothing_is_listed(desk: Desk) -> None:
    desk.record = Record()
    job = desk.submit()
    desk.steps.clear()
    found = desk.find(look_first=True)
    assert (found.job.name, found.reattached) == (job.name, True)
    assert desk.deeds == ["Look"]


def test_an_intent_makes_even_a_first_attempt_look(desk: Desk) -> None:
    job = desk.submit()
    desk.record = Record(IDENTITY.tag, desk.now())
    assert desk.submit().name == job.name


def test_a_record_of_a_job_that_is_gone_is_no_job(desk: Desk) -> None:
    desk.record = Record(IDENTITY.tag, desk.now() - HOUR, "1" if desk.place.vertex else "batches/gone")
    job = desk.submit(look_first=True)
    assert desk.deeds[:2] == ["Look", "Find"]
    assert desk.record.job == job.name


@pytest.mark.parametrize("ago", [0, LONGEST_CREATE])
def test_an_intent_is_looked_for_as_long_as_its_create_may_be_acted_upon(desk: Desk, ago: float) -> None:
    desk.record = Record(IDENTITY.tag, desk.now() - ago)
    desk.submit(look_first=True)
    assert desk.naps[: len(LOOKS_AFTER_LOSS)] == list(LOOKS_AFTER_LOSS)
    assert desk.deeds.index("Create") == 1 + 2 * len(LOOKS_AFTER_LOSS) + 1


def test_an_intent_that_took_long_to_write_is_written_again(desk: Desk) -> None:
    writes: list[float] = []

    def write(record: Record) -> None:
        if not writes:
            desk.emulator.clock.advance(LONGEST_CREATE)
        writes.append(record.intent)

    desk.remember = write
    begun = desk.now()
    desk.submit()
    # The second is written so much later, and says how long it may take as well.
    wanted = [begun, begun + 2 * LONGEST_CREATE]
    assert writes[:2] == [pytest.approx(one, abs=LONGEST_CREATE / 2) for one in wanted]
    assert desk.posts() == 1


@pytest.mark.parametrize("intent", [0.0, 1.0], ids=["refused", "long ago"])
def test_after_a_create_that_was_refused_or_is_long_ago_one_look_is_enough(desk: Desk, intent: float) -> None:
    desk.record = Record(IDENTITY.tag, intent)
    desk.submit(look_first=True)
    assert desk.deeds == ["Find", "Place", "Create"]


def test_an_empty_record_may_have_been_cleared_and_says_nothing(desk: Desk) -> None:
    desk.record = Record()
    desk.submit(look_first=True)
    assert desk.naps[: len(LOOKS_AFTER_LOSS)] == list(LOOKS_AFTER_LOSS)
    assert desk.deeds.index("Create") == 1 + 2 * len(LOOKS_AFTER_LOSS) + 1


def test_a_dead_job_does_not_end_the_looking_for_a_fresh_one(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end="FAILED"))
    dead = desk.submit()
    desk.client.get(dead.name)
    desk.emulator.script(JobScript(list_lag=2))
    fresh = desk.submit()
    assert desk.submit(look_first=True).name == fresh.name
    assert len(desk.emulator.jobs) == 2


def test_a_refused_create_leaves_no_intent(desk: Desk) -> None:
    desk.record = Record()
    desk.emulator.faults.add(_method(desk, "create"), Fault.error(429))

    class Left(BaseException):
        pass

    def leave(step: AwaitCapacity) -> None:
        raise Left

    desk.await_capacity = leave
    with pytest.raises(Left):
        desk.submit()
    assert desk.record == Record(IDENTITY.tag)


def test_an_attempt_that_is_not_the_tasks_any_more_creates_nothing(desk: Desk) -> None:
    class Gone(Exception):
        pass

    def refuse(record: Record) -> None:
        raise Gone

    desk.remember = refuse
    with pytest.raises(Gone):
        desk.submit()
    assert desk.emulator.jobs == []


@pytest.mark.parametrize("reattach", [True, False])
def test_who_took_long_to_place_the_input_looks_again(desk: Desk, reattach: bool) -> None:
    def place() -> None:
        desk.emulator.clock.advance(STALE + 1)
        desk.place_input = lambda: None
        desk.submit()  # what another attempt does meanwhile

    desk.place_input = place
    assert desk.find(reattach=reattach).reattached
    assert len(desk.emulator.jobs) == 1


def test_a_project_that_is_still_set_up_is_waited_for(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    message = "Service agents are being provisioned (https://cloud.google.com/…). Please try again in a few minutes."
    refusal = Fault.error(400, message=message, grpc="FAILED_PRECONDITION", times=3)
    desk.emulator.faults.add(_method(desk, "create"), refusal)
    desk.submit()
    assert len(desk.emulator.jobs) == 1
    assert caplog.text.count("was not set up for the job") == 3
    desk.emulator.faults.add(_method(desk, "create"), replace(refusal, times=1000))
    with pytest.raises(JobTimedOut, match="Nothing was created"):
        desk.submit(budget=600.0, identity=Identity("f" * 64, "b" * 64))
    desk.emulator.faults.clear()


def test_who_waited_long_for_capacity_looks_again(desk: Desk) -> None:
    desk.emulator.faults.add(_method(desk, "create"), Fault.error(429))

    def wait(step: AwaitCapacity) -> None:
        desk.emulator.clock.advance(STALE + 1)
        desk.submit()

    desk.await_capacity = wait
    assert desk.find().reattached
    assert len(desk.emulator.jobs) == 1


def test_who_comes_back_from_waiting_for_capacity_looks_once(desk: Desk) -> None:
    desk.submit(resumed=True)
    assert desk.deeds == ["Place", "Find", "Create"]


def test_a_paused_job_that_is_not_asked_any_more_is_cancelled(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once(), end="PAUSED"))
    old = desk.submit(identity=Identity("a" * 64, "c" * 64))
    desk.client.get(old.name)
    desk.submit(look_first=True)
    assert [job["cancel_requested"] for job in desk.emulator.jobs] == [True, False]


def test_a_job_of_the_same_requests_that_cannot_be_cancelled_stands_in_the_way_of_another(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    desk.submit()
    desk.emulator.faults.add(_method(desk, "cancel"), Fault.error(503))
    with pytest.raises(ServerError):
        desk.submit(look_first=True, reattach=False)
    assert len(desk.emulator.jobs) == 1


def test_without_reattach_what_still_runs_is_cancelled_and_a_new_job_created(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    first = desk.submit()
    second = desk.find(look_first=True, reattach=False)
    assert (second.job.name != first.name, second.reattached) == (True, False)
    assert [job["cancel_requested"] for job in desk.emulator.jobs] == [True, False]


@pytest.mark.parametrize(
    "identity", [IDENTITY, Identity("a" * 64, "c" * 64)], ids=["reattach", "other input"]
)
def test_a_job_that_ends_before_it_could_be_cancelled_stands_in_nobodys_way(
    desk: Desk, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.timed(running=100)))
    first = desk.submit(identity=identity)
    desk.before_cancel = lambda: desk.emulator.clock.advance(200)
    with caplog.at_level(logging.INFO):
        second = desk.find(look_first=True, reattach=False)
    assert (second.job.name != first.name, second.reattached) == (True, False)
    assert [job["cancel_requested"] for job in desk.emulator.jobs] == [False, False]
    assert f"Job {first.name} of an earlier attempt is no longer wanted; it has ended" in caplog.text
    assert "billed as it goes" not in caplog.text


def test_trouble_while_the_input_is_placed_is_waited_out_as_for_a_create(desk: Desk) -> None:
    troubles = [TransportError("reset", method="files.upload"), ServerError("no", code=503, retry_after=45)]

    def place() -> None:
        if troubles:
            raise troubles.pop(0)

    desk.place_input = place
    desk.submit()
    assert desk.deeds == ["Place", "AwaitCapacity", "Place", "AwaitCapacity", "Place", "Find", "Create"]
    assert desk.naps[1] >= 45
    assert desk.posts() == 1


def test_an_input_that_cannot_be_placed_until_the_deadline_leaves_nothing_behind(desk: Desk) -> None:
    def place() -> None:
        raise ServerError("away", code=503, method="files.upload")

    desk.place_input = place
    with pytest.raises(JobTimedOut, match=r"put in place until the deadline.*Nothing was created"):
        desk.submit(budget=600)
    assert desk.posts() == 0


def test_a_place_to_write_that_is_always_slow_keeps_nobody_from_creating(desk: Desk) -> None:
    notes: list[Record] = []

    def write(record: Record) -> None:
        notes.append(record)
        desk.emulator.clock.advance(2 * STALE)

    desk.remember = write
    desk.submit()
    assert len(desk.emulator.jobs) == 1
    assert desk.steps[-3:] == ["Find", "Create", "Remember"]  # upon a fresh look
    *intents, last = notes
    assert 2 <= len(intents) <= 3
    assert last.job == desk.emulator.jobs[0]["name"]
    created = desk.client.get(last.job).create_time
    assert abs(created.timestamp() - intents[-1].intent) <= STALE  # it allows for the time that writing takes


def test_who_cannot_write_looks_at_the_service_before_a_create(desk: Desk) -> None:
    desk.remember = lambda _: False
    desk.submit()
    assert [step for step in desk.steps if step != "Recall"] == [
        "Place",
        "Remember",
        "Find",
        "Create",
        "Remember",
    ]
    assert desk.posts() == 1


def test_a_note_that_may_be_outdated_is_no_reason_to_look_once_only(desk: Desk) -> None:
    desk.record = Record(IDENTITY.tag, outdated=True)
    desk.submit()
    assert desk.steps.count("Find") == 1 + len(LOOKS_AFTER_LOSS)


def test_a_lost_reply_without_reattach_is_not_taken_for_the_job_of_an_earlier_attempt(desk: Desk) -> None:
    first = desk.submit()
    desk.emulator.faults.add(_method(desk, "create"), Fault.lost_reply())
    second = desk.submit(look_first=True, reattach=False)
    assert second.name != first.name
    assert len(desk.emulator.jobs) == 2


def test_a_job_of_no_use_is_not_reattached_again(desk: Desk) -> None:
    desk.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    first = desk.submit()
    second = desk.find(look_first=True, before=[first.name])
    assert (second.job.name != first.name, second.reattached) == (True, False)


def test_a_job_whose_name_is_not_shown_is_known_by_the_file_that_it_reads() -> None:
    job = BatchJob(
        name="batches/a",
        backend=Backend.GEMINI,
        state=JobState.RUNNING,
        source=BatchSource(file_name=file_name(IDENTITY.tag)),
    )
    assert IDENTITY.owns(job)
    assert not Identity("a" * 64, "c" * 64).owns(job)


def test_an_attempt_that_stalled_before_it_came_here_looks_before_it_creates(desk: Desk) -> None:
    first = desk.submit()
    found = desk.find(begun=desk.now() - STALE - 1)
    assert (found.job.name, found.reattached) == (first.name, True)
