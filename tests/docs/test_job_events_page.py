"""The page on events of jobs says what the trigger takes and tells."""

from __future__ import annotations

import inspect
import re

from airflow_provider_genai_batch.client.jobs import CLOCK_SKEW, PAGE_COSTS
from airflow_provider_genai_batch.flows import watch
from airflow_provider_genai_batch.flows.retry import LONGEST_OF_HOURS
from airflow_provider_genai_batch.hooks.state_store import fired_events as fired
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.job import JobCounts
from airflow_provider_genai_batch.triggers import job_events
from airflow_provider_genai_batch.triggers.job_events import ENDS, GenAIBatchJobsTrigger
from tests.docs.pages import Page, code

PAGE = Page("docs/reference/job-events.md")
PARAMETERS = PAGE.table("# Events of jobs", "Parameter")


def test_every_parameter_is_told_with_its_default() -> None:
    signature = inspect.signature(GenAIBatchJobsTrigger.__init__).parameters
    defaults = {
        name: repr(one.default)
        for name, one in signature.items()
        if name != "self" and one.kind is not one.VAR_KEYWORD
    }
    assert {code(row[0]): code(row[1]) for row in PARAMETERS} == defaults
    assert f"`{GenAIBatchJobsTrigger.__module__}.{GenAIBatchJobsTrigger.__name__}`" in PAGE.text


def test_every_end_is_told() -> None:
    (states,) = [row[2] for row in PARAMETERS if code(row[0]) == "states"]
    assert set(re.findall(r"`(\w+)`", states)) == set(ENDS)


def test_every_field_of_the_payload_is_told() -> None:
    job = BatchJob(name="batches/1", backend=Backend.GEMINI)
    told = {code(row[0]): row[1] for row in PAGE.table("# Events of jobs", "Field of the payload")}
    assert told.keys() == job_events._payload(job).keys()
    assert re.findall(r"`(\w+)`", told["counts"]) == list(JobCounts.model_fields)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"{fired.MOST_NAMES} names" in PAGE.text
    assert CLOCK_SKEW == 10 * 60
    assert LONGEST_OF_HOURS == 5 * 60
    assert PAGE_COSTS == 3
    days = [round(watch.BUDGET[backend] / 86400) for backend in (Backend.GEMINI, Backend.VERTEX)]
    assert days == [2, 4]
