"""`max_cost_per_day`: jobs of a connection, or of a DAG, that may cost more than a day's limit are refused."""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.adapters.submission import submit
from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle, VirtualClock
from airflow_provider_genai_batch.exceptions import (
    ConfigurationError,
    DailyCostExceeded,
    JobFailed,
    NotFound,
    ServerError,
    TooManyFailedRows,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.models import BatchSource, Pilot
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity, task_key
from airflow_provider_genai_batch.models.jobs.stated_cost import stated_cost
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.port import Owner
from airflow_provider_genai_batch.testing import SharedClock
from tests.dags import run_dag
from tests.nights.night import Night
from tests.task.plain_task import MODEL

TEXTS = ["abcdefgh" * 50] * 10
"""100 tokens each."""
SHORT = {"max_output_tokens": 400}
COST = 10 * (100 * 0.15 + 400 * 1.25) / 1_000_000
"""Of `TEXTS` with answers as long as they may be, at the batch prices of the model; the emulator's are shorter."""


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    """Begin at ten in the morning."""
    return {"clock": VirtualClock(datetime(2026, 11, 28, 10, 0, tzinfo=timezone.utc))}


class Day:
    """Tasks of one DAG on one connection, which may have a limit."""

    def __init__(self, emulator: Emulator, time: SharedClock) -> None:
        self.emulator, self.time = emulator, time
        self.limit: float | None = None
        self.errors: list[BaseException] = []

    @property
    def config(self) -> ClientConfig:
        return ClientConfig(Backend.GEMINI, api_key="k", host=self.emulator.url, max_cost_per_day=self.limit)

    def client(self) -> GenAIBatchClient:
        return GenAIBatchClient(self.config)

    def task(self, run: str, *, dag: str = "etl", begin: int = 0, retries: int = 0, **how: Any) -> Any:
        """Run a task; return its manifest, None if it failed."""
        settings = {
            "conn_id": "own",
            "model": MODEL,
            "source": lambda: TEXTS,
            "request_defaults": SHORT,
            "poll_interval": 1,
            **how,
        }
        owner = Owner(task_key(dag, "ask", run, -1, None), f"{dag}.ask", {}, None, dag_id=dag)
        night = Night(settings, self.client, begin=begin, retries=retries, owner=owner)
        manifest = night.go()
        self.errors = night.errors
        return manifest

    @property
    def stated(self) -> list[float]:
        """What the jobs state, in the order of their creation."""
        return [cost.usd for job in self.emulator.jobs if (cost := stated_cost(job["display_name"]))]

    @property
    def refusal(self) -> DailyCostExceeded:
        (found,) = self.errors
        assert isinstance(found, DailyCostExceeded), found
        return found


@pytest.fixture
def day(emulator: Emulator, virtual_clock: SharedClock) -> Day:
    return Day(emulator, virtual_clock)


def methods(emulator: Emulator) -> set[str]:
    return {one["method"] for one in emulator.requests}


@pytest.mark.parametrize("of", ["connection", "dag"])
def test_the_second_task_of_a_day_is_refused_before_anything_is_sent_and_the_next_day_has_room(
    day: Day, of: str, caplog: pytest.LogCaptureFixture
) -> None:
    how = {"max_cost_per_day": COST * 1.5} if of == "dag" else {}
    day.limit = None if how else COST * 1.5
    with caplog.at_level(logging.INFO):
        first = day.task("a", **how)
    assert first["spent_today"] == {
        "date": "2026-11-28",
        "usd": pytest.approx(COST),
        "uncounted": 0,
        "limits": [{"of": of, "max_cost_per_day": COST * 1.5, "usd": 0, "jobs": 0}],
    }
    assert f"Cost of 2026-11-28 (UTC): 0 jobs of this {of} may cost 0.000000 of" in caplog.text
    assert day.stated == [pytest.approx(COST)]

    day.emulator.clear_requests()
    assert day.task("b", **how) is None
    assert (day.refusal.of, day.refusal.jobs, day.refusal.day) == (of, 1, "2026-11-28")
    assert (day.refusal.spent, day.refusal.expected) == (pytest.approx(COST), pytest.approx(COST))
    for part in (
        "Nothing was created for it, and nothing is billed",
        "Each attempt counts anew",
        "10 requests",
    ):
        assert part in str(day.refusal)
    assert methods(day.emulator) == {"batches.list", "batches.get"}
    assert (day.task("c", dag="other", **how) is None) == (of == "connection")

    day.time.advance(14 * 3600)
    manifest = day.task("b", begin=1, **how)
    assert manifest["spent_today"]["date"] == "2026-11-29"
    assert day.task("a", begin=1, **how)["spent_today"] is None, "it has its job, and creates none"


def test_tasks_that_all_found_room_do_not_all_keep_their_jobs(day: Day) -> None:
    day.limit = COST * 2.5
    for _ in range(4):
        day.emulator.script(JobScript(lifecycle=Lifecycle.timed(60, 60)))
    tickets = [day.emulator.faults.add("batches.create", Fault.hold()) for _ in range(4)]
    others = [Day(day.emulator, day.time) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        ran = []
        for number, (other, ticket) in enumerate(zip(others, tickets, strict=True)):
            other.limit = day.limit
            ran.append(pool.submit(other.task, f"{number}"))
            assert ticket.wait_held(), "it has listed the jobs of the day, and found none"
        for number, ticket in enumerate(tickets):
            day.time.advance(1)
            ticket.release()
            ran[number].result(timeout=120)
    assert [other.errors == [] for other in others] == [True, True, False, False]
    for other in others[2:]:
        assert "created jobs at the same time" in str(other.refusal)
        assert "What it has answered until then is billed" in str(other.refusal)
    day.time.advance(120)
    with day.client() as client:
        states = [client.get(job["name"]).state.value for job in day.emulator.jobs]
    assert states == ["SUCCEEDED", "SUCCEEDED", "CANCELLED", "CANCELLED"]


def test_a_list_that_is_down_refuses_the_job_and_says_that_nothing_is_paid(day: Day) -> None:
    day.limit = 1.0
    day.emulator.faults.add("batches.list", Fault.error(503, "away", times=5))
    assert day.task("a") is None
    (error,) = day.errors
    assert isinstance(error, ServerError)
    assert "No job was created, and nothing is billed" in str(error)
    assert day.emulator.jobs == []


def test_a_list_that_goes_in_circles_refuses_the_job_because_it_may_not_show_all(day: Day) -> None:
    assert day.task("a") is not None
    day.limit = 1.0
    day.emulator.faults.add("batches.list", Fault.same_token(times=2))
    assert day.task("b") is None
    (error,) = day.errors
    assert isinstance(error, UnreadableAnswer)
    assert "repeats a page token" in str(error)
    assert len(day.emulator.jobs) == 1


def test_a_deferred_task_with_several_jobs_counts_each_once(day: Day) -> None:
    day.limit = COST * 1.01
    manifest = day.task("a", deferrable=True, max_requests_per_job=3, max_active_jobs=1)
    assert manifest["counts"]["ok"] == 10
    assert len(day.stated) == 4
    assert sum(day.stated) == pytest.approx(COST, abs=4e-6)
    assert manifest["spent_today"]["limits"][0]["usd"] == pytest.approx(COST * 0.9, abs=4e-6)


def test_a_retry_is_not_refused_for_its_own_jobs(day: Day) -> None:
    day.limit = COST * 1.2
    day.emulator.script(JobScript(end="FAILED", error={"code": 13, "message": "no"}))
    assert day.task("a", retries=1)["counts"]["ok"] == 10
    assert isinstance(day.errors[0], JobFailed)
    assert len(day.stated) == 2

    day.time.advance(24 * 3600)
    day.emulator.script(JobScript(row_errors=dict.fromkeys(range(5), 13)))
    manifest = day.task("b", retries=1)
    assert isinstance(day.errors[0], TooManyFailedRows)
    assert manifest is not None, day.errors
    assert manifest["counts"]["ok"] == 10
    (limit,) = manifest["spent_today"]["limits"]
    assert 0 < limit["usd"] < COST * 0.6, "the job before counts with what it has cost"
    assert sum(day.stated[-2:]) > COST * 1.2


def test_a_retry_that_creates_one_of_several_jobs_anew_counts_the_others_once(day: Day) -> None:
    day.limit = COST * 1.2
    day.emulator.script(JobScript(end="FAILED", error={"code": 13, "message": "no"}))
    manifest = day.task("a", max_requests_per_job=3, retries=1)
    assert manifest is not None, day.errors
    assert [type(error) for error in day.errors] == [JobFailed]
    assert (manifest["counts"]["ok"], len(day.emulator.jobs)) == (10, 5)
    assert sum(day.stated) > day.limit


def test_a_retry_is_not_refused_for_a_job_of_which_every_row_was_refused(day: Day) -> None:
    day.limit = COST * 1.2
    day.emulator.script(JobScript(row_errors=dict.fromkeys(range(10), 13)))
    manifest = day.task("a", retries=1)
    assert isinstance(day.errors[0], TooManyFailedRows)
    assert manifest is not None, day.errors
    assert (manifest["counts"]["ok"], len(day.stated)) == (10, 2)


def test_jobs_of_another_cut_of_the_input_count_because_nothing_reattaches_to_them(day: Day) -> None:
    day.limit = COST * 1.2
    assert day.task("a", max_requests_per_job=3) is not None
    assert day.task("a", begin=1, max_requests_per_job=4) is None
    assert day.refusal.jobs == len(day.emulator.jobs) == 4


def test_an_attempt_that_does_not_reattach_pays_anew_and_is_held_to_the_day(day: Day) -> None:
    day.limit = COST * 1.5
    day.emulator.script(JobScript(row_errors=dict.fromkeys(range(5), 13)))
    assert day.task("a", reattach=False, retries=1) is None
    assert isinstance(day.errors[1], DailyCostExceeded)
    assert len(day.emulator.jobs) == 1


def test_a_pilot_in_a_job_counts_and_the_rest_by_what_the_pilot_tells(day: Day) -> None:
    day.limit = COST * 1.01
    manifest = day.task("a", pilot=Pilot(rows=3, tier="batch"))
    assert manifest is not None, day.errors
    assert manifest["counts"]["ok"] == 10
    pilot, rest = day.stated
    assert pilot == pytest.approx(COST * 0.3, abs=1e-6)
    assert rest < COST * 0.7
    assert manifest["spent_today"]["usd"] == pytest.approx(rest, abs=1e-6)


def test_a_plan_alone_is_held_to_the_day(day: Day) -> None:
    assert (
        day.task("a", max_cost_per_day=COST * 1.5, plan_only=True)["spent_today"]["limits"][0]["of"] == "dag"
    )
    assert day.task("a", max_cost_per_day=COST * 1.5) is not None
    assert day.task("b", max_cost_per_day=COST * 1.5, plan_only=True) is None
    assert "because plan_only=True" in str(day.refusal)


UNCOUNTED: dict[str, dict[str, Any]] = {
    "tier": {"tier": "flex"},
    "online_below": {"online_below": 5},
    "retry_tier": {"retry_tier": "standard"},
    "pilot": {"pilot": 3},
    "ready_by": {"ready_by": datetime(2026, 11, 29, 6, tzinfo=timezone.utc)},
    "fallbacks": {"fallbacks": ["flex"], "pending_timeout": 60},
}


@pytest.mark.parametrize("name", UNCOUNTED)
def test_immediate_calls_which_nobody_can_count_are_refused(day: Day, name: str, tmp_path: Any) -> None:
    how = {**UNCOUNTED[name], "results_uri": str(tmp_path / "out.jsonl")}
    with pytest.raises(ConfigurationError, match=f"max_cost_per_day=5 cannot be checked: {name}="):
        GenAIBatchOperator(task_id="ask", model=MODEL, src=TEXTS, max_cost_per_day=5, **how)
    day.limit = 5.0
    assert day.task("a", **how) is None
    (refused,) = day.errors
    assert isinstance(refused, ConfigurationError)
    assert f"of the connection 'own' cannot be checked: {name}=" in str(refused)
    assert day.emulator.requests == []


@pytest.mark.parametrize(
    "how", [{"model": "gemini-9-flash"}, {"source": lambda: BatchSource(file_name="files/abc")}]
)
def test_what_cannot_be_priced_is_refused_and_not_let_pass(day: Day, how: dict[str, Any]) -> None:
    day.limit = 5.0
    assert day.task("a", **{"request_defaults": None, **how}) is None
    (error,) = day.errors
    assert isinstance(error, ConfigurationError)
    assert "max_cost_per_day=5.0 cannot be checked" in str(error)
    assert "leave max_cost_per_day out, or use a connection without it" in str(error)
    assert day.emulator.requests == []


def test_a_job_that_is_created_by_hand_is_refused_where_the_connection_has_a_limit(day: Day) -> None:
    day.limit = 5.0
    with day.client() as client, pytest.raises(ConfigurationError, match="only GenAIBatchOperator holds"):
        client.create(MODEL, ["Hi"])
    with day.client() as client, pytest.raises(ConfigurationError, match="jobs of other operators"):
        submit(client, {}, Identity("a" * 64, "b" * 64), model=MODEL, requests=["Hi"], defaults=None)

    async def create() -> None:
        async with AsyncGenAIBatchClient(day.config) as client:
            await client.create(MODEL, ["Hi"])

    with pytest.raises(ConfigurationError, match="jobs of create"):
        asyncio.run(create())
    assert day.emulator.requests == []


def test_a_job_that_counts_is_not_deleted_before_the_next_day(day: Day) -> None:
    day.limit = 5.0
    (name,) = day.task("a")["job_names"]
    with day.client() as client:
        with pytest.raises(ConfigurationError, match="was created today"):
            client.delete(name)
        day.time.advance(24 * 3600)
        client.delete(name)
        with pytest.raises(NotFound):
            client.get(name)


def test_a_job_that_failed_without_an_answer_may_be_deleted_on_the_same_day(day: Day) -> None:
    day.limit = 5.0
    day.emulator.script(JobScript(end="FAILED", error={"code": 13, "message": "no"}))
    assert day.task("a") is None
    (job,) = day.emulator.jobs
    with day.client() as client:
        client.delete(job["name"])
        with pytest.raises(NotFound):
            client.get(job["name"])


def test_in_a_dag_the_limits_of_connection_and_operator_both_hold(
    vertex: Emulator, genai_batch_conn_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = vertex.connection("vertex")
    connection["extra"] = {**connection["extra"], "max_cost_per_day": str(COST * 9)}
    monkeypatch.setenv(f"AIRFLOW_CONN_{genai_batch_conn_id.upper()}", json.dumps(connection))

    def ask(name: str) -> Any:
        return GenAIBatchOperator(
            task_id=name,
            model=MODEL,
            src=TEXTS,
            dest=f"gs://emulator-staging/{uuid4().hex}/",
            request_defaults=SHORT,
            max_cost_per_day=COST * 1.5,
            poll_interval=0.05,
        )

    ran = run_dag(lambda: ask("first") >> ask("second"))
    assert ran.states == {"first": "success", "second": "failed"}
    (refusal,) = ran.errors
    assert isinstance(refusal, DailyCostExceeded)
    assert (refusal.of, refusal.jobs) == ("dag", 1)
    assert [one["of"] for one in ran.xcom["first"]["spent_today"]["limits"]] == ["connection", "dag"]
    assert len(vertex.jobs) == 1
