"""Airflow's metrics hear of each job once, by Airflow's own client of a StatsD server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Stats
from airflow.sdk.observability.metrics.stats_utils import NoStatsLogger, get_stats_factory
from pydantic import BaseModel

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import JobFailed, JobTimedOut, TooManyFailedRows
from airflow_provider_genai_batch.models import Usage
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from airflow_provider_genai_batch.task.cost.prices import price_of
from tests.dags import Ran, run_dag
from tests.operators.doors import die_after_submit
from tests.operators.scenes import MODEL, PROMPTS, SCENES, client
from tests.statsd_server import StatsDServer, statsd_server

BACKENDS = pytest.mark.parametrize("backend", ["gemini", "vertex"])
EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
TEXTS = [f"text {number}" for number in range(8)]


class Answer(BaseModel):
    good: bool


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsDServer]:
    """Give a server that Airflow's metrics go to."""
    with statsd_server() as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        logger = get_stats_factory()()
        # As a task's process begins; `dag.test()` leaves it out.
        Stats.initialize(factory=lambda: logger, export_legacy_names=False)
        yield server
        Stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
        logger.statsd.close()


@pytest.fixture
def service(request: pytest.FixtureRequest, backend: str) -> Emulator:
    """Give the emulator of a backend, the default connection set."""
    return request.getfixturevalue(backend)


def ask(service: Emulator, **settings: Any) -> Ran:
    if service.storage is not None:
        settings["dest"] = "gs://emulator-staging/metrics/"
    settings = {"model": MODEL, "src": TEXTS, "poll_interval": 0.05, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


def at_the_service(service: Emulator) -> dict[str, int]:
    """Count jobs, rows and tokens of everything there, job by job."""
    found: Counter[str] = Counter()
    with client() as reader:
        for each in service.jobs:
            job = reader.get(each["name"])
            found[f"jobs.{job.state.value.lower()}"] += 1
            used = Usage()
            for row in reader.rows(job):
                found[f"rows.{row.status.value}"] += 1
                used += row.usage or Usage()
            for kind, number in used:
                found[f"tokens.{kind}"] += number
            price = price_of(job.model, job.create_time)
            found["cost.micro_usd"] += round(1_000_000 * price.short.cost(used)) if price else 0
    return {name: number for name, number in found.items() if number}


@EVERY_WAY
def test_metrics_that_cannot_be_told_change_no_outcome(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, deferrable: bool
) -> None:
    incr = Stats.incr
    asked: list[str] = []

    def failing(stat: str, *args: Any, **more: Any) -> Any:
        if not stat.startswith("genai_batch."):
            return incr(stat, *args, **more)
        asked.append(stat)
        msg = "count must be a positive value."  # as OpenTelemetry's says of a service that counts below zero
        raise ValueError(msg)

    monkeypatch.setattr(Stats, "incr", failing)
    ran = ask(gemini, deferrable=deferrable)
    assert (ran.state, ran.xcom["ask"]["counts"]["ok"]) == ("success", len(TEXTS)), ran.errors
    gemini.script(JobScript(all_rows_fail=13))
    (error,) = ask(gemini, deferrable=deferrable).errors
    assert isinstance(error, TooManyFailedRows)
    assert len(asked) == 2


@BACKENDS
@EVERY_WAY
def test_jobs_rows_and_tokens_are_told(
    statsd: StatsDServer, service: Emulator, backend: str, deferrable: bool
) -> None:
    ran = ask(service, max_requests_per_job=3, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    told = statsd.counters(f"backend={backend},model={MODEL}")
    assert told == at_the_service(service)
    assert (told["jobs.succeeded"], told["rows.ok"]) == (3, 8)
    assert told["tokens.total"] == ran.xcom["ask"]["usage"]["total"]


@BACKENDS
def test_times_are_told_where_the_service_tells_them(
    statsd: StatsDServer, service: Emulator, backend: str
) -> None:
    service.script(JobScript(lifecycle=Lifecycle.timed(pending=0.2, running=0.3)))
    manifest = ask(service).xcom["ask"]
    times = {
        name: datetime.fromisoformat(manifest[name])
        for name in manifest
        if name.endswith("_time") and manifest[name]
    }
    spans = {"job_duration": ("create_time", "end_time")}
    if backend == "vertex":
        spans |= {
            "queued_duration": ("create_time", "start_time"),
            "run_duration": ("start_time", "end_time"),
        }
    assert {name: sum(values) for name, values in statsd.timers().items()} == {
        name: pytest.approx((times[end] - times[begin]).total_seconds(), abs=0.002)
        for name, (begin, end) in spans.items()
    }


@BACKENDS
@EVERY_WAY
def test_a_further_round_counts_what_it_adds(
    statsd: StatsDServer, service: Emulator, deferrable: bool
) -> None:
    service.script(JobScript(answers={1: '{"good": true}', 2: '{"good": true}'}, row_errors={4: 13}))
    ran = ask(service, retry_failed_rows=1, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    told = statsd.counters()
    assert told == at_the_service(service)
    assert (told["jobs.succeeded"], told["rows.ok"], told["rows.error"]) == (2, 8, 1)
    assert told["tokens.total"] == ran.xcom["ask"]["usage"]["total"]


@BACKENDS
def test_a_retry_that_takes_a_job_up_does_not_count_it_again(statsd: StatsDServer, service: Emulator) -> None:
    service.script(JobScript(row_errors={4: 13}))
    ran = ask(service, retries=1)
    assert [type(error) for error in ran.errors] == [TooManyFailedRows]
    assert ran.state == "success"
    told = statsd.counters()
    assert told == at_the_service(service)
    assert (told["jobs.succeeded"], told["rows.ok"], told["rows.error"]) == (2, 8, 1)


def test_a_job_that_nobody_settled_is_counted_by_the_attempt_that_does(
    statsd: StatsDServer, gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_after_submit(monkeypatch)
    assert ask(gemini, retries=1).state == "success"
    assert statsd.counters() == at_the_service(gemini)
    assert len(gemini.jobs) == 1


def test_failing_rows_are_told_with_the_outcome(statsd: StatsDServer, gemini: Emulator) -> None:
    gemini.script(JobScript(row_errors={1: 13}, missing=[2, 3], blocked=[5]))
    (failure,) = ask(gemini).errors
    assert isinstance(failure, TooManyFailedRows)
    told = statsd.counters()
    assert {name: number for name, number in told.items() if name.startswith("rows.")} == {
        "rows.ok": 4,
        "rows.error": 1,
        "rows.invalid": 1,
        "rows.missing": 2,
    }
    assert told["jobs.succeeded"] == 1


def test_a_failed_job_is_told_and_its_siblings_wait_for_the_attempt_that_reads_them(
    statsd: StatsDServer, gemini: Emulator
) -> None:
    gemini.script(JobScript())
    gemini.script(JobScript(end="FAILED"))
    ran = ask(gemini, max_requests_per_job=4, retries=1)
    assert [type(error) for error in ran.errors] == [JobFailed]
    assert ran.state == "success"
    told = statsd.counters()
    assert (told["jobs.failed"], told["jobs.succeeded"], told["rows.ok"]) == (1, 2, 8)
    assert told["tokens.total"] == ran.xcom["ask"]["usage"]["total"]


def test_a_job_that_is_left_at_a_deadline_is_not_counted(statsd: StatsDServer, gemini: Emulator) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle(looks=10**6)))
    (failure,) = ask(gemini, timeout=0.3, on_timeout="leave").errors
    assert isinstance(failure, JobTimedOut)
    assert statsd.received() == []


def test_rows_that_stay_in_bigquery_are_told_by_their_counts(
    statsd: StatsDServer, vertex: Emulator, tmp_path: Path
) -> None:
    scene = SCENES["vertex-bigquery"][1](vertex, tmp_path)
    settings = {"model": MODEL, "poll_interval": 0.05, **scene.arguments}
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))
    assert ran.state == "success", ran.errors
    assert statsd.counters() == {"jobs.succeeded": 1, "rows.ok": len(PROMPTS)}


@pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferred"])
def test_the_sensor_tells_of_jobs_of_others_and_landing_them_again_does_not(
    statsd: StatsDServer, gemini: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    with client() as service:
        name = service.create(MODEL, TEXTS).name
    settings = {"poke_interval": 0.05, "timeout": 60, "deferrable": deferrable}
    ran = run_dag(lambda: GenAIBatchSensor(task_id="wait", job_names=name, **settings))
    assert ran.state == "success", ran.errors
    assert statsd.counters() == at_the_service(gemini)
    out = str(tmp_path / "rows.jsonl")
    assert (
        run_dag(lambda: GenAIBatchResultsOperator(task_id="l", job_names=name, results_uri=out)).state
        == "success"
    )
    assert statsd.counters() == at_the_service(gemini)


@pytest.mark.parametrize("mode", ["poke", "deferred"])
def test_rows_that_came_late_are_told(statsd: StatsDServer, gemini: Emulator, mode: str) -> None:
    gemini.script(JobScript(late_output=10))
    with client() as service:
        name = service.create(MODEL, TEXTS).name
    settings = {"poke_interval": 0.05, "timeout": 60, "deferrable": mode == "deferred"}
    ran = run_dag(lambda: GenAIBatchSensor(task_id="wait", job_names=name, **settings))
    assert ran.state == "success", ran.errors
    assert statsd.counters() == at_the_service(gemini)
