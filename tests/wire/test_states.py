"""Job states in every spelling."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.models import JobState
from airflow_provider_genai_batch.models.jobs.job import Verdict
from airflow_provider_genai_batch.wire.services.states import read_state

IN_ORDER = [
    "UNSPECIFIED",
    "QUEUED",
    "PENDING",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "CANCELLING",
    "CANCELLED",
    "PAUSED",
    "EXPIRED",
    "UPDATING",
    "PARTIALLY_SUCCEEDED",
]


@pytest.mark.parametrize("name", IN_ORDER)
@pytest.mark.parametrize("prefix", ["BATCH_STATE_", "JOB_STATE_", ""])
def test_a_state_is_known_in_both_spellings_and_bare(name: str, prefix: str) -> None:
    assert read_state(prefix + name) == (JobState(name), prefix + name)


@pytest.mark.parametrize(("number", "name"), [*enumerate(IN_ORDER)])
def test_a_state_is_known_by_its_number(number: int, name: str) -> None:
    assert read_state(number) == (JobState(name), str(number))


@pytest.mark.parametrize("value", ["BATCH_STATE_HIBERNATING", "running", 12, -1, 2.5])
def test_a_state_that_nobody_has_heard_of_is_kept_as_it_came(value: object) -> None:
    assert read_state(value) == (JobState.UNSPECIFIED, str(value))


def test_no_state_is_unspecified() -> None:
    assert read_state(None) == (JobState.UNSPECIFIED, "")


def test_every_state_has_its_verdict() -> None:
    ended = {
        JobState.SUCCEEDED: Verdict.ROWS,
        JobState.PARTIALLY_SUCCEEDED: Verdict.ROWS,
        JobState.FAILED: Verdict.FAILED,
        JobState.EXPIRED: Verdict.EXPIRED,
        JobState.CANCELLED: Verdict.CANCELLED,
        JobState.PAUSED: Verdict.PAUSED,
    }
    assert {state: state.verdict for state in JobState if state.ended} == ended
    assert all(state.verdict is Verdict.WAIT for state in JobState if state not in ended)
