"""Stray jobs: what a list shows of the same requests beside the jobs that are known."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_genai_batch.emulator import Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.flows.outcome.stray_jobs import Strays, find_strays
from airflow_provider_genai_batch.flows.submission.search import LOOKS_AFTER_LOSS
from airflow_provider_genai_batch.flows.submission.withdraw import cancel_needless
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.jobs.identity import Identity
from tests.flows.desk import IDENTITY, Desk

AT_ONCE, STUCK = Lifecycle.at_once(), Lifecycle.stuck("RUNNING")


def make(desk: Desk, identity: Identity = IDENTITY, **script) -> BatchJob:
    """Submit a job as an attempt does that knows of no other."""
    desk.emulator.script(JobScript(**{"lifecycle": STUCK, **script}))
    job = desk.submit(identity=identity)
    return desk.client.get(job.name)


def strays(desk: Desk, known: BatchJob) -> Strays:
    flow = find_strays(IDENTITY, [known], names={known.name}, since=None, clock=desk.now)
    return drive(flow, desk.act)


def test_they_are_of_the_same_requests_and_read_by_name(desk: Desk) -> None:
    known = make(desk)
    make(desk, Identity("d" * 64, "b" * 64))
    make(desk, Identity("a" * 64, "c" * 64))
    make(desk, lifecycle=AT_ONCE, end="FAILED", served=0.0)
    ended = make(desk, lifecycle=AT_ONCE, stale_entries=True)
    later = make(desk, IDENTITY.piece(["x"], 1))
    found = strays(desk, known)
    assert [job.name for job in found.ended] == [ended.name]
    assert [job.name for job in found.going] == [later.name]


def test_a_list_that_does_not_show_a_young_job_that_is_known_is_asked_again(desk: Desk) -> None:
    known, twin = make(desk, list_lag=3), make(desk, list_lag=3)
    assert [job.name for job in strays(desk, known).going] == [twin.name]


def test_a_list_that_never_shows_what_is_known_is_asked_a_bounded_time(desk: Desk) -> None:
    known = make(desk, list_lag=1000)
    assert not strays(desk, known)
    assert desk.naps == [*LOOKS_AFTER_LOSS]


def test_a_look_that_fails_is_told_and_no_reason_to_lose_rows(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    known = make(desk)
    desk.emulator.faults.add(f"{desk.place.service}.list", Fault.error(403))
    with caplog.at_level(logging.WARNING):
        assert not strays(desk, known)
    assert "Could not check for other jobs" in caplog.text


def test_one_that_is_not_needed_is_cancelled_and_one_that_cannot_be_is_named_as_billed(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    known, first, second = make(desk), make(desk), make(desk)
    desk.emulator.faults.add(f"{desk.place.service}.cancel", Fault.error(403))
    with caplog.at_level(logging.WARNING):
        drive(cancel_needless(IDENTITY, strays(desk, known).going, desk.now), desk.act)
    assert [job["cancel_requested"] for job in desk.emulator.jobs] == [False, False, True]
    said = [record.getMessage() for record in caplog.records]
    assert any(first.name in one and "is billed as it goes" in one for one in said)
    assert any(second.name in one and "was asked to be cancelled" in one for one in said)
