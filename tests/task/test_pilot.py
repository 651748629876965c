"""A pilot: a sample goes first, and decides whether the others are asked, and what all will cost."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ConfigurationError, CostLimitExceeded, PilotFailed
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import BatchSource, JobState, Pilot
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.wire.answers.answer import plain_row
from airflow_provider_genai_batch.wire.catalog.limits import Limits
from airflow_provider_genai_batch.wire.keys import stamps
from tests.dags import run_dag
from tests.task.plain_task import MODEL, Deferred, PlainTask
from tests.task.test_attempt import client, ended

__all__ = ["client"]
ROWS = 600
EMBEDS = "gemini-embedding-001"
PROMPTS = [f"question {at}" for at in range(60)]


class Answer(BaseModel):
    good: bool


def attempt(client: GenAIBatchClient, folder: Path, task: PlainTask | None = None, **how: Any) -> TaskAttempt:
    settings = {
        "model": MODEL,
        "poll_interval": 0.05,
        "source": lambda: PROMPTS,
        "results_uri": str(folder / "rows.jsonl"),
        "pilot": 10,
        **how,
    }
    return TaskAttempt(RunSettings(conn_id="any", **settings), task or PlainTask(), client)


def run(client: GenAIBatchClient, folder: Path, task: PlainTask | None = None, **how: Any) -> dict[str, Any]:
    return attempt(client, folder, task, **how).run(Attempt(look_first=task is not None))


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def sizes(emulator: Emulator, client: GenAIBatchClient) -> list[int | None]:
    """Return how many requests each job has."""
    return [client.get(job["name"]).counts.total for job in emulator.jobs]


def asked_at_once(emulator: Emulator) -> int:
    return sum(":generateContent" in call["path"] for call in emulator.requests)


def test_a_sample_is_asked_at_once_and_the_others_in_a_job_and_nothing_twice(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    manifest = run(client, tmp_path)
    assert (manifest["counts"]["ok"], manifest["counts"]["total"], manifest["rounds"]) == (60, 60, 2)
    assert asked_at_once(emulator) == 10
    assert sizes(emulator, client) == [50]
    found = rows(tmp_path)
    tiers = [row["tier"] for row in found.values()]
    assert (tiers.count("standard"), tiers.count("batch")) == (10, 50)
    places = sorted(row["index"] for row in found.values() if row["tier"] == "standard")
    assert [place // 6 for place in places] == [*range(10)]
    plan, cost = manifest["plan"], manifest["cost"]["usd"]
    own = plan["cost"]["batch"]
    assert (plan["pilot"], plan["requests"]) == (10, 60)
    assert own["least"] <= own["expected"] <= own["most"]
    assert (
        f"Cost {cost:.6f} USD; the plan said {own['expected']:.6f} USD ({own['least']:.6f} to" in caplog.text
    )
    assert caplog.text.count("the plan said") == 1


@pytest.mark.parametrize("tier", ["standard", "batch"])
@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_pilot_of_one_row_from_the_middle_of_an_input_without_keys_is_judged_by_its_answer(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, tier: str, deferrable: bool
) -> None:
    how = {"pilot": Pilot(1, tier=tier), "deferrable": deferrable}
    manifest, event = None, None
    while manifest is None:
        try:
            manifest = (
                run(client, tmp_path, **how)
                if event is None
                else attempt(client, tmp_path, **how).complete(event)
            )
        except Deferred as left:
            event = ended(client, left)
    assert (manifest["counts"]["ok"], manifest["plan"]["pilot"]) == (60, 1)
    assert {row["text"] for row in rows(tmp_path).values()} == {f"Answer to: {prompt}" for prompt in PROMPTS}
    assert asked_at_once(emulator) + sum(size or 0 for size in sizes(emulator, client)) == 60


@pytest.mark.parametrize("first", [1, 5])
def test_the_checksum_of_two_neighbours_is_one_that_their_rows_can_have(first: int) -> None:
    """That of the sixth and the seventh key is over the range of checksums."""
    with ExitStack() as stack:
        source, limits = BatchSource(path="in.jsonl"), Limits(None, None, "")
        pair = PreparedInput(source, "", Backend.GEMINI, limits, stack, requests=2, stamped=2, first=first)
        facts = InputFacts.of(pair)
    counter = RowCounter(expected=2, keyed=True, stamped=facts.stamped, key_sum=facts.key_sum)
    for key in stamps(first, first + 2):
        counter.take({**plain_row(key, "ok", finish_reason="STOP"), "index": None})
    assert counter.sure


@pytest.mark.parametrize("tier", ["standard", "batch"])
def test_a_retry_and_a_deferred_task_ask_nothing_twice(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, tier: str
) -> None:
    how = {"pilot": Pilot(10, tier=tier), "deferrable": True, "max_requests_per_job": 30}
    task = PlainTask()
    with pytest.raises(Deferred):  # as the first attempt ends
        run(client, tmp_path, task, **how)
    manifest, event = None, None
    while manifest is None:
        try:
            manifest = (
                run(client, tmp_path, task, **how)
                if event is None
                else attempt(client, tmp_path, PlainTask(kept=task.kept), **how).complete(event)
            )
        except Deferred as left:
            event = ended(client, left)
    assert manifest["counts"]["ok"] == 60
    assert len(rows(tmp_path)) == 60
    asked = [10, 30, 20] if tier == "batch" else [30, 20]
    assert (asked_at_once(emulator), sizes(emulator, client)) == (60 - sum(asked), asked)


def test_what_a_cancelled_pilot_left_open_is_asked_before_the_others(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.2))
    task, pilot = PlainTask(), Pilot(10, tier="batch")
    with pytest.raises(Deferred) as left:
        run(client, tmp_path, task, pilot=pilot, deferrable=True)
    (name,) = left.value.names
    while client.get(name).state is not JobState.RUNNING:
        pass
    client.cancel(name)
    ended(client, left.value)
    manifest = run(client, tmp_path, PlainTask(is_first_try=False, kept=task.kept), pilot=pilot)
    assert sizes(emulator, client) == [10, 8, 50]
    assert (manifest["counts"]["ok"], manifest["plan"]["pilot"], len(rows(tmp_path))) == (60, 10, 60)


def test_a_broken_prompt_costs_the_pilot_and_says_why(tmp_path: Path) -> None:
    task, how = PlainTask(), {"output_type": Answer, "max_failed_rows": 0.2}
    with Emulator(answer=lambda _: "no JSON at all") as emulator:
        config = ClientConfig(Backend.GEMINI, api_key="not-a-secret", host=emulator.url)
        with GenAIBatchClient(config) as client:
            with pytest.raises(PilotFailed) as failed:
                run(client, tmp_path, task, **how)
            with pytest.raises(PilotFailed):
                run(client, tmp_path, task, **how)
        assert asked_at_once(emulator) == 10
        assert not emulator.jobs
    error = failed.value
    said = str(error)
    assert "The pilot failed: 10 of its 10 rows failed (tier standard). Causes: 10 x INVALID_OUTPUT" in said
    assert "Samples: " in said
    assert "the other 50 requests were not submitted" in said
    assert error.manifest
    assert error.manifest["cost"]["usd"] > 0
    assert not (tmp_path / "rows.jsonl").exists()


def test_what_will_cost_too_much_stops_at_the_pilot(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    defaults = {"max_output_tokens": 30, "thinking_config": {"include_thoughts": True}}
    cost = run(client, tmp_path / "all", request_defaults=defaults)["cost"]["usd"]
    before = len(emulator.jobs)
    with pytest.raises(CostLimitExceeded, match="by a pilot of 10 rows, all rows cost"):
        run(client, tmp_path / "dear", max_cost=cost * 0.6, request_defaults=defaults)
    assert len(emulator.jobs) == before
    assert (
        run(client, tmp_path / "cheap", max_cost=cost * 1.5, request_defaults=defaults)["counts"]["ok"] == 60
    )


def test_what_a_pilot_measured_is_no_limit_for_a_dearer_tier_at_the_deadline(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"request_defaults": {"max_output_tokens": 30}, "pilot": 5}
    own = run(client, tmp_path / "all", **how)["plan"]["cost"]["batch"]["most"]
    calls, jobs = asked_at_once(emulator), len(emulator.jobs)
    soon = datetime.now(timezone.utc) + timedelta(seconds=150)
    with pytest.raises(CostLimitExceeded):
        run(client, tmp_path / "late", ready_by=ReadyBy(soon, then="standard"), max_cost=own * 1.1, **how)
    assert (asked_at_once(emulator) - calls, len(emulator.jobs)) == (5, jobs)


WORKLOADS: dict[str, dict[str, Any]] = {
    "labels": {"source": lambda: [f"Is number {at} even?" for at in range(ROWS)], "output_type": Answer},
    "summaries of texts of all lengths": {
        "source": lambda: ["word " * (1 + at * 7919 % 800) for at in range(ROWS)]
    },
    "thoughts": {
        "source": lambda: [f"Think about {at}." for at in range(ROWS)],
        "request_defaults": {"thinking_config": {"include_thoughts": True}},
    },
    "embeddings": {"source": lambda: ["text " * (1 + at % 9) for at in range(ROWS)], "model": EMBEDS},
    "a few very long ones": {
        "source": lambda: ["long " * (2000 if at % 20 == 7 else 20) for at in range(ROWS)]
    },
}


@pytest.mark.parametrize("kind", WORKLOADS)
def test_the_forecast_is_within_a_tenth_of_the_bill(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, kind: str
) -> None:
    manifest = run(client, tmp_path, pilot=150, **WORKLOADS[kind])
    bill, cost = manifest["cost"]["usd"], manifest["plan"]["cost"]["batch"]
    assert cost["expected"] == pytest.approx(bill, rel=0.1)
    assert manifest["counts"]["ok"] == ROWS


def test_an_input_no_larger_than_the_pilot_is_asked_as_ever(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    for pilot in (60, 1.0):
        assert run(client, tmp_path, pilot=pilot)["rounds"] == 1
    assert asked_at_once(emulator) == 0
    assert run(client, tmp_path, pilot=0.1)["plan"]["pilot"] == 6


def test_failed_rows_of_the_pilot_are_asked_again_with_the_others(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    emulator.script(JobScript(row_errors={3: 13}))
    manifest = run(client, tmp_path, retry_failed_rows=1)
    assert (manifest["counts"]["ok"], manifest["rounds"]) == (60, 3)
    assert sizes(emulator, client) == [50, 1]


def test_a_template_in_a_pilot_is_rendered(gemini: Emulator, tmp_path: Path) -> None:
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=PROMPTS,
            results_uri=str(tmp_path / "rows.jsonl"),
            pilot=Pilot(10, tier="{{ 'stan' ~ 'dard' }}"),
            poll_interval=0.05,
        )
    )
    assert ran.state == "success", ran.errors
    assert asked_at_once(gemini) == 10


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pilot": 0}, "give a count"),
        ({"pilot": 1.5}, "give a count"),
        ({"pilot": True}, "give a count"),
        ({"pilot": Pilot(10, tier="cheap")}, "the tier of a pilot"),
        ({"pilot": Pilot(10, max_failed=-1)}, "max_failed of a pilot"),
        ({"pilot": 10, "results_uri": None}, "give it a file as results_uri"),
        ({"pilot": 10, "results_uri": None, "wait": False}, "give it a file as results_uri"),
        ({"pilot": Pilot(10, tier="batch"), "ready_by": "06:00"}, "ready_by may be missed"),
        (
            {"pilot": Pilot(10, tier="batch"), "ready_by": "06:00", "retry_tier": "standard"},
            "ready_by may be missed",
        ),
        ({"pilot": Pilot(10, tier="flex"), "model": "gemini-embedding-001"}, "no flex tier"),
    ],
)
def test_a_pilot_that_cannot_be_meant_is_refused_when_the_dag_is_parsed(
    settings: dict[str, Any], said: str
) -> None:
    given = {"model": MODEL, "src": PROMPTS, "results_uri": "/tmp/rows.jsonl", **settings}
    with pytest.raises(Exception, match=said) as refused:
        GenAIBatchOperator(task_id="ask", **given)
    assert isinstance(refused.value, ConfigurationError) or "flex" in said
