"""The filter of Vertex's list."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.vertex.filter import compiled

JOB = Job(
    name="projects/1/locations/l/batchPredictionJobs/2",
    backend="vertex",
    kind="generate",
    model="publishers/google/models/gemini-2.5-flash",
    display_name='nightly-42 "a"',
    created_ns=1_788_264_000 * NANOSECONDS,
    resource={"labels": {"run": "r-42", "team": "x"}},
    source={},
    state="RUNNING",
)
"""Created 2026-09-01T12:00:00Z."""


@pytest.mark.parametrize(
    "text",
    [
        "",
        'display_name="nightly-42 \\"a\\""',
        'display_name:"nightly-*"',
        'display_name:"42"',
        'display_name != "x"',
        "state=JOB_STATE_RUNNING",
        'state = "JOB_STATE_RUNNING"',
        "state!=JOB_STATE_FAILED",
        "labels.run=r-42",
        'labels.run="r-42"',
        "labels.run:*",
        "labels:team",
        'create_time>="2026-09-01T00:00:00Z"',
        'create_time="2026-09-01T12:00:00Z"',
        'create_time<"2026-09-01T14:30:00.5+02:00"',
        'labels.run=r-42 AND create_time>"2026-08-31T23:59:59.123456789Z"',
        "labels.run=none OR labels.team=x",
        "NOT labels.run=none",
        "NOT (labels.run=none OR labels.team=none)",
        "(labels.run=none AND labels.team=x) OR state=JOB_STATE_RUNNING",
        "state=JOB_STATE_RUNNING AND labels.run=none OR labels.team=x",
        'model_display_name="gemini-2.5-flash"',
    ],
)
def test_the_job_passes(text: str):
    assert compiled(text)(JOB)


@pytest.mark.parametrize(
    "text",
    [
        'display_name="nightly-42"',
        'display_name:"Nightly-*"',
        'display_name:"ni?htly*"',
        "state=JOB_STATE_FAILED",
        "state!=JOB_STATE_RUNNING",
        "labels.none:*",
        "labels.run=r",
        'create_time>"2026-09-01T12:00:00Z"',
        "NOT labels.run:*",
        "labels.run=r-42 AND labels.team=y",
        "labels.run=r-42 OR labels.team=x AND state=JOB_STATE_FAILED",
    ],
)
def test_the_job_does_not_pass(text: str):
    assert not compiled(text)(JOB)


@pytest.mark.parametrize(
    "text",
    [
        "display_name",
        "display_name=",
        'display_name<"a"',
        'colour="red"',
        'state:"JOB*"',
        'create_time>"yesterday"',
        'create_time>"2026-09-01T00:00:00"',
        "labels.run>1",
        "(state=JOB_STATE_RUNNING",
        "state=JOB_STATE_RUNNING)",
        "state=JOB_STATE_RUNNING labels.run=r",
        "AND",
        'display_name="unclosed',
    ],
)
def test_what_is_no_filter_is_refused(text: str):
    with pytest.raises(ApiError) as caught:
        compiled(text)
    assert caught.value.code == 400
