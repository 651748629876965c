"""Cancelling a job: one protocol for all who do it, by either client, which reads the job by its name first."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.client.jobs import cancel_job
from airflow_provider_genai_batch.emulator import Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import BadRequest, CallError, PermissionDenied
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation, CancelOutcome
from airflow_provider_genai_batch.models.jobs.identity import Identity
from tests.client.places import Either

IDENTITY = Identity("a" * 64, "b" * 64)
STRANGER = Identity("c" * 64, "b" * 64)


def _running(either: Either, **more: object) -> BatchJob:
    either.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    return either.create(**more)


def _cancel(either: Either, name: str, identity: Identity | None = None) -> Cancellation:
    only_if = None if identity is None else identity.is_kin
    return either.client.run(cancel_job(either.client.calls, name, only_if=only_if))


def _posts(either: Either) -> int:
    return sum(one["method"] == f"{either.service}.cancel" for one in either.emulator.requests)


def test_a_job_that_goes_on_is_asked_to_be_cancelled(either: Either) -> None:
    job = _running(either)
    became = _cancel(either, job.name)
    assert (became.outcome, became.asked) == (CancelOutcome.ASKED, True)
    assert became.job is not None
    assert became.job.name == job.name
    assert either.emulator.jobs[0]["cancel_requested"]


def test_a_job_that_is_being_cancelled_is_not_asked_again(on_vertex: Either) -> None:
    on_vertex.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_looks=50))
    job = on_vertex.create()
    assert _cancel(on_vertex, job.name).outcome is CancelOutcome.ASKED
    became = _cancel(on_vertex, job.name)
    assert (became.outcome, became.asked) == (CancelOutcome.CANCELLING, True)
    assert _posts(on_vertex) == 1


def test_a_job_that_has_ended_is_not_asked_and_bills_nothing_more(either: Either) -> None:
    either.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    became = _cancel(either, either.create().name)
    assert (became.outcome, became.asked) == (CancelOutcome.ENDED, False)
    assert became.job is not None
    assert became.job.state is JobState.SUCCEEDED
    assert "has ended (SUCCEEDED)" in became.words
    assert "bills nothing more" in became.words
    assert _posts(either) == 0


@pytest.mark.parametrize("grpc", ["FAILED_PRECONDITION", "INVALID_ARGUMENT"])
def test_a_job_that_ends_between_the_look_and_the_cancellation_has_ended(either: Either, grpc: str) -> None:
    either.emulator.script(JobScript(lifecycle=Lifecycle(looks=1)))
    job = either.create()
    either.emulator.faults.add(f"{either.service}.cancel", Fault.error(400, "it has ended", grpc=grpc))
    became = _cancel(either, job.name)
    assert became.outcome is CancelOutcome.ENDED
    assert became.job is not None
    assert became.job.state is JobState.SUCCEEDED


def test_a_refusal_to_cancel_a_job_that_goes_on_is_passed_on(either: Either) -> None:
    job = _running(either)
    either.emulator.faults.add(f"{either.service}.cancel", Fault.error(400, "no"))
    with pytest.raises(BadRequest, match="no"):
        _cancel(either, job.name)
    either.emulator.faults.add(f"{either.service}.cancel", Fault.error(403, "no"))
    with pytest.raises(PermissionDenied):
        _cancel(either, job.name)


def test_a_job_that_cannot_be_read_is_not_cancelled(either: Either) -> None:
    job = _running(either)
    either.emulator.faults.add(f"{either.service}.get", Fault.error(403))
    with pytest.raises(CallError):
        _cancel(either, job.name)
    assert _posts(either) == 0


def test_a_job_that_does_not_exist_is_gone(either: Either) -> None:
    name = _running(either).name
    either.emulator.faults.add(f"{either.service}.get", Fault.error(404, path=name))
    became = _cancel(either, name)
    assert (became.outcome, became.job) == (CancelOutcome.GONE, None)
    assert "does not exist" in became.words


def test_a_job_that_may_not_be_cancelled_is_read_and_left_alone(either: Either) -> None:
    job = _running(either, display_name=STRANGER.display_name("nightly"))
    became = _cancel(either, job.name, IDENTITY)
    assert (became.outcome, became.asked) == (CancelOutcome.SPARED, False)
    assert "left alone" in became.words
    assert _posts(either) == 0
    own = _running(either, display_name=IDENTITY.display_name("nightly"))
    assert _cancel(either, own.name, IDENTITY).outcome is CancelOutcome.ASKED


def test_a_job_that_does_not_appear_yet_is_cancelled_when_it_does(either: Either, naps: list[float]) -> None:
    either.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), get_lag=2))
    name = either.create().name
    looks = iter([True, True, False])
    became = either.client.run(cancel_job(either.client.calls, name, is_new=lambda: next(looks)))
    assert (became.outcome, len(naps)) == (CancelOutcome.ASKED, 2)
    assert either.emulator.jobs[0]["cancel_requested"]


def test_a_job_that_never_appears_is_gone(either: Either, naps: list[float]) -> None:
    either.emulator.script(JobScript(get_lag=9))
    name = either.create().name
    looks = iter([True, False])
    became = either.client.run(cancel_job(either.client.calls, name, is_new=lambda: next(looks)))
    assert (became.outcome, len(naps)) == (CancelOutcome.GONE, 1)
