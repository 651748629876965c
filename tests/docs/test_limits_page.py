"""Limits and figures that pages repeat are those that the code and the measurements have."""

from __future__ import annotations

import re

import pytest

from airflow_provider_genai_batch.client.transport.http import MAX_CONNECTIONS
from airflow_provider_genai_batch.flows.outcome.collect import READ_PATIENCE
from airflow_provider_genai_batch.flows.retry import _LONGEST_HINT
from airflow_provider_genai_batch.flows.submission.search import LOOKS_AFTER_LOSS
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.wire.catalog.limits import MAX_LINE_BYTES, limits_of
from airflow_provider_genai_batch.wire.keys import MAX_KEY_CHARACTERS
from airflow_provider_genai_batch.wire.services.gemini import MAX_BODY_BYTES
from tests.docs.pages import Page

LIMITS = Page("docs/reference/limits.md")
PRODUCTION = Page("docs/how-to/run-in-production.md")
BENCHMARKS = Page("docs/reference/benchmarks.md")
MODEL = "gemini-2.5-flash"
SIZES = {row[0]: row[1:] for row in LIMITS.table("## Size of a job", "Limit")}
TIMES = {row[0]: row[1:] for row in LIMITS.table("## Time", "Limit")}


def numbers(text: str) -> list[int]:
    """Return whole numbers, which may have commas."""
    return [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]


def test_the_size_of_a_job_is_as_told() -> None:
    gemini, vertex = (limits_of(backend, Task.GENERATE, MODEL) for backend in Backend)
    assert gemini.max_requests is None
    most = [vertex.max_requests]
    most += [limits_of(Backend.VERTEX, Task.EMBED, name).max_requests for name in ("gemini-embedding-001",)]
    most += [limits_of(Backend.VERTEX, Task.EMBED, "text-embedding-005").max_requests]
    assert numbers(SIZES["requests in a job"][1]) == most
    assert [numbers(cell) for cell in SIZES["bytes of an input file"][:2]] == [
        [gemini.max_bytes],
        [vertex.max_bytes],
    ]
    assert numbers(SIZES["bytes of a create call with the requests in it"][0]) == [MAX_BODY_BYTES]
    assert numbers(SIZES["length of a key"][0]) == [MAX_KEY_CHARACTERS]
    assert numbers(SIZES["one line"][0]) == [MAX_LINE_BYTES]


def test_what_this_package_waits_is_as_told() -> None:
    settings = RunSettings.of(GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"]))
    hours = [settings.budget(backend) / 3600 for backend in Backend]
    assert numbers(TIMES["in the queue"][-1]) == hours
    assert numbers(TIMES["from SUCCEEDED to readable rows"][-1]) == [READ_PATIENCE / 60]
    assert numbers(TIMES["from the create call to the list"][-1]) == [sum(LOOKS_AFTER_LOSS)]
    assert len(LOOKS_AFTER_LOSS) == 4  # "four times"
    assert _LONGEST_HINT == 3600  # "an hour at most"


def test_the_jobs_of_a_task_are_as_many_as_told() -> None:
    active = GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"]).max_active_jobs
    assert f"`max_active_jobs`, {active} by default" in LIMITS.text


def measured(jobs: str) -> list[str]:
    """Return the row of the benchmarks for so many jobs on one triggerer."""
    return next(row for row in BENCHMARKS.table("## Waiting for jobs", "Jobs") if row[0] == jobs)


@pytest.mark.parametrize(
    ("told", "column"),
    [
        ("CPU time to check one job", 1),
        ("CPU time to check each job once", 2),
        ("memory per job", 3),
        ("connections to the service", 6),
    ],
)
def test_the_figures_for_triggerers_are_those_of_the_benchmarks(told: str, column: int) -> None:
    rows = PRODUCTION.table("## Triggerers", "")
    (said,) = [row[1] for row in rows if row[0] == told]
    assert float(said.split()[0]) == pytest.approx(
        float(measured("10,000")[column].replace(",", "")), rel=0.01
    )


def test_the_share_of_a_core_follows_from_the_figures() -> None:
    of_a_look = float(measured("10,000")[2].replace(",", ""))
    said = re.search(r"takes ([\d.]+) % of a core", PRODUCTION.text)
    assert said is not None
    assert float(said[1]) == pytest.approx(of_a_look / 1000 / 60 * 100, abs=0.1)


def test_the_memory_of_a_large_input_is_that_of_the_benchmarks() -> None:
    (row,) = [
        row for row in BENCHMARKS.table("## Building and uploading an input", "From") if "1 GB" in row[0]
    ]
    assert f"an input of {row[1]} rows" in PRODUCTION.text.replace("\n", " ")
    assert f"[{row[-1]} MB]" in PRODUCTION.text


def test_the_connections_of_a_triggerer_are_as_many_as_told() -> None:
    assert MAX_CONNECTIONS == 10
    assert "at most ten connections" in " ".join(PRODUCTION.text.split())


def test_airflows_own_settings_are_as_told() -> None:
    from airflow.configuration import conf

    assert conf.getint("triggerer", "capacity") == 1000
    assert "`[triggerer] capacity`** is 1000 by default" in PRODUCTION.text
