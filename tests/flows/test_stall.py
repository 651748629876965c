"""Jobs that did not leave the queue in time, by what the service says of them."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.flows.stall import is_stalled
from airflow_provider_genai_batch.models import JobState
from tests.flows.test_queue import job

MOST = 1800.0


@pytest.mark.parametrize(
    ("cancelled", "stalled"), [(1800.4, True), (1799.5, True), (1790.0, False), (60.0, False)]
)
def test_a_job_counts_as_stalled_though_its_time_was_known_to_half_a_second_when_it_was_cancelled(
    cancelled, stalled
):
    assert is_stalled(job(cancelled, state=JobState.CANCELLED), MOST) is stalled


def test_one_that_expired_has_stalled_and_one_that_began_in_time_or_answered_has_not():
    assert is_stalled(job(60, state=JobState.EXPIRED), MOST)
    assert not is_stalled(job(4000, queued=1000, state=JobState.CANCELLED), MOST)
    assert not is_stalled(job(4000), MOST)
