"""The page on metrics names what is told, and no more."""

from __future__ import annotations

from airflow_provider_genai_batch.models import BatchJob, JobState, RowStatus, Usage
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.reporting import metrics
from tests.docs.pages import Page, code

PAGE = Page("docs/reference/metrics.md")
TOLD = {code(row[0]): row[1:] for row in PAGE.table("# Metrics", "Name")}


def test_every_metric_is_told_with_its_kind() -> None:
    counters = {f"{metrics.JOBS}.<state>", f"{metrics.ROWS}.<status>", f"{metrics.TOKENS}.<kind>"}
    counters.add(f"{metrics.COST}.micro_usd")
    timers = {metrics.QUEUED, metrics.RUN, metrics.LIVED}
    assert {name: row[0] for name, row in TOLD.items()} == {
        **dict.fromkeys(counters, "counter"),
        **dict.fromkeys(timers, "timer"),
    }


def test_the_kinds_of_tokens_are_all_told() -> None:
    told = TOLD[f"{metrics.TOKENS}.<kind>"][1]
    assert told.split("`")[1::2] == list(Usage.model_fields)


def test_the_names_that_the_page_spells_out_are_ones_that_there_are() -> None:
    assert f"`{metrics.JOBS}.{JobState.SUCCEEDED.value.lower()}`" in PAGE.text
    assert f"`{metrics.ROWS}.{RowStatus.OK.value}`" in PAGE.text


def test_the_tags_are_told() -> None:
    job = BatchJob(name="batches/1", backend=Backend.GEMINI, model="models/gemini-2.5-flash")
    told = {code(row[0]): row[1] for row in PAGE.table("# Metrics", "Tag")}
    tags = metrics._tags(job)
    assert told.keys() == tags.keys()
    assert all(f"`{value}`" in told[name] for name, value in tags.items())
