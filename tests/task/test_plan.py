"""The plan of a task: what it says before anything is paid, and what the bill says of it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript
from airflow_provider_genai_batch.exceptions import ConfigurationError, CostLimitExceeded, TooManyFailedRows
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import BatchSource, Manifest, Pilot, Plan
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from tests.dags import run_dag
from tests.operators.scenes import client as vertex_client
from tests.operators.scenes import without_price_list
from tests.task.plain_task import MODEL, Deferred, PlainTask
from tests.task.test_attempt import client, ended

__all__ = ["client"]
TEXT = "abcdefgh" * 50
"""100 tokens."""
SHORT = {"max_output_tokens": 40}
COST = 10 * (100 * 0.15 + 40 * 1.25) / 1_000_000
"""Of ten such with answers as long as they may be, at the batch prices of the model."""
ROWS = 3000


class Answer(BaseModel):
    good: bool


def attempt(client: GenAIBatchClient, src: Any, **how: Any) -> TaskAttempt:
    settings = {"model": MODEL, "poll_interval": 0.05, "request_defaults": SHORT, **how}
    return TaskAttempt(RunSettings(conn_id="any", source=lambda: src, **settings), PlainTask(), client)


def planned(client: GenAIBatchClient, src: Any, **how: Any) -> Plan:
    plan = Manifest.model_validate(attempt(client, src, plan_only=True, **how).run(Attempt())).plan
    assert plan
    return plan


def calls(emulator: Emulator) -> list[str]:
    return [call["path"].rpartition(":")[2] for call in emulator.requests]


def test_a_plan_alone_counts_tokens_at_the_service_and_submits_nothing(gemini: Emulator) -> None:
    model = "gemini-3.5-flash"
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=model,
            src=[TEXT] * 10,
            request_defaults=SHORT,
            plan_only=True,
            max_requests_per_job=4,
        )
    )
    assert ran.state == "success", ran.errors
    manifest = Manifest.model_validate(ran.xcom["ask"])
    plan = manifest.plan
    assert plan
    assert (manifest.state, manifest.job_names, manifest.rounds) == ("PLANNED", (), 0)
    assert (plan.requests, plan.jobs, plan.counted, plan.looked_at) == (10, 3, 10, 10)
    assert (plan.input_tokens, plan.output_tokens) == (1000, 400)
    assert plan.cost["batch"].least == pytest.approx(1000 * 0.75 / 1_000_000)
    assert plan.cost["standard"].most == pytest.approx(2 * plan.cost["batch"].most)
    assert plan.cost["flex"] == plan.cost["batch"]
    assert calls(gemini) == ["countTokens"] * 10


@pytest.mark.parametrize("tier", ["standard", "batch"])
def test_a_plan_with_a_pilot_is_refused_where_the_pilot_would_be(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, tier: str
) -> None:
    """What the others may cost is measured by the pilot."""
    dearer = 2 if tier == "standard" else 1
    how = {"results_uri": str(tmp_path / "rows.jsonl"), "pilot": Pilot(5, tier=tier)}
    assert planned(client, [TEXT] * 100, max_cost=COST * dearer, **how).requests == 100
    with pytest.raises(CostLimitExceeded, match="5 requests"):
        planned(client, [TEXT] * 100, max_cost=COST * dearer * 0.4, **how)
    with pytest.raises(CostLimitExceeded, match="4 requests"):  # no more than the pilot, so there is none
        planned(client, [TEXT] * 4, max_cost=COST * 0.3, **how)
    assert not emulator.jobs


LATER = {
    "a dearer model": {"fallbacks": ["gemini-2.5-flash-lite", "gemini-2.5-pro"]},
    "a dearer model within a day": {"fallbacks": ["gemini-2.5-pro"]},
    "the standard tier": {"fallbacks": ["gemini-2.5-flash-lite", "flex", "standard"]},
    "a deadline": {"ready_by": "2100-01-01T06:00+00:00"},
    "a deadline with a dearer model": {
        "ready_by": ReadyBy("2100-01-01T06:00+00:00", model="gemini-2.5-pro", then="flex")
    },
}


@pytest.mark.parametrize("later", LATER)
def test_a_limit_too_low_for_a_later_way_is_said_once_with_the_plan(
    client: GenAIBatchClient, emulator: Emulator, tmp_path: Path, later: str, caplog: pytest.LogCaptureFixture
) -> None:
    how = {"results_uri": str(tmp_path / "rows.jsonl"), "pending_timeout": 600.0, **LATER[later]}
    for max_cost, said in ((COST * 1.1, True), (COST * 20, False), (None, False)):
        limit = "max_cost_per_day" if later == "a dearer model within a day" else "max_cost"
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            planned(client, [TEXT] * 10, **{limit: max_cost}, **how)
        warned = [record.getMessage() for record in caplog.records if "is too low for" in record.getMessage()]
        assert len(warned) == said
        for text in warned:
            assert "For all 10 requests" in text
            assert f"; {limit}={max_cost})" in text
            assert "raise the limit" in text
            assert "lite" not in text, "it costs less"
            assert ("pro" if "model" in later else "standard") in text
    assert not emulator.jobs


def test_a_plan_alone_refuses_a_fallback_that_cannot_be_used(
    client: GenAIBatchClient, tmp_path: Path
) -> None:
    how = {"results_uri": str(tmp_path / "rows.jsonl"), "pending_timeout": 600.0}
    with pytest.raises(ConfigurationError, match="fallback model gemini-embedding-001 cannot be used"):
        planned(client, [TEXT] * 10, fallbacks=["gemini-embedding-001"], **how)


def test_on_vertex_ai_a_region_has_no_flex_to_plan_with(vertex: Emulator) -> None:
    with vertex_client() as service:
        plan = planned(service, [TEXT] * 10, dest="gs://emulator-staging/out/")
    assert (plan.counted, plan.input_tokens, [*plan.cost]) == (10, 1000, ["batch", "standard"])
    assert not vertex.jobs


def test_a_file_and_the_rows_of_a_table_are_planned(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    path, table = tmp_path / "in.jsonl", tmp_path / "in.csv"
    line = json.dumps({"request": {"contents": [{"parts": [{"text": TEXT}]}]}})
    path.write_text(f"{line}\n" * 10)
    table.write_text("text\n" + f"{TEXT}\n" * 10)
    for given in ({"src": str(path)}, {"src": str(table), "prompt": "{text}"}):
        plan = planned(client, **given)
        assert (plan.requests, plan.jobs, plan.input_tokens, plan.output_tokens) == (10, 1, 1000, 400)
        assert plan.cost["batch"].most == pytest.approx(COST)
    assert {*calls(emulator)} == {"countTokens"}


def test_embeddings_are_counted_and_have_no_answers(emulator: Emulator, client: GenAIBatchClient) -> None:
    plan = planned(client, [TEXT] * 3, model="gemini-embedding-001", request_defaults=None)
    assert (plan.counted, plan.input_tokens, plan.output_tokens) == (3, 300, 0)
    assert set(plan.cost) == {"batch", "standard"}


def test_a_plan_that_cannot_be_counted_is_estimated_and_says_so(
    emulator: Emulator, client: GenAIBatchClient, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults.add("models.countTokens", Fault.error(403, "no counting here"))
    caplog.set_level(logging.INFO)
    plan = planned(client, [TEXT] * 10)
    assert (plan.counted, plan.input_tokens) == (0, 1000)
    assert "The tokens are estimated, because they could not be counted" in caplog.text
    assert "Plan: 10 requests in 1 job, input 1000 tokens (estimated from the text of 10)" in caplog.text


def test_a_plan_of_a_large_file_reads_a_sample_of_it_alone(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    texts = ["word " * (1 + at * 7919 % 400) for at in range(ROWS)]
    lines = [json.dumps({"request": {"contents": [{"parts": [{"text": text}]}]}}) for text in texts]
    path.write_text("".join(line + "\n" for line in lines))
    plan = planned(client, str(path))
    assert plan.looked_at <= 500 < plan.requests == ROWS
    assert plan.input_tokens == pytest.approx(sum(map(len, texts)) / 4, rel=0.05)
    assert plan.output_tokens == ROWS * SHORT["max_output_tokens"]
    assert plan == planned(client, str(path))
    assert calls(emulator).count("countTokens") == 40


def test_every_task_plans_and_holds_its_bill_against_the_plan(
    emulator: Emulator, client: GenAIBatchClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    how = {"deferrable": True, "request_defaults": {"max_output_tokens": 400}}
    with pytest.raises(Deferred) as left:
        attempt(client, [TEXT] * 10, **how).run(Attempt())
    manifest = attempt(client, [TEXT] * 10, **how).complete(ended(client, left.value))
    cost = manifest["plan"]["cost"]["batch"]
    assert cost["least"] <= manifest["cost"]["usd"] <= cost["most"]
    assert f"Cost {manifest['cost']['usd']:.6f} USD; the plan said {cost['least']:.6f} to" in caplog.text
    assert caplog.text.count("Plan: 10 requests in 1 job") == 1
    assert "countTokens" not in calls(emulator)


def test_a_task_that_fails_tells_its_plan_too(emulator: Emulator, client: GenAIBatchClient) -> None:
    emulator.script(JobScript(answers={1: "no"}))
    with pytest.raises(TooManyFailedRows) as failed:
        attempt(client, [TEXT] * 10, output_type=Answer).run(Attempt())
    assert failed.value.manifest
    assert failed.value.manifest["plan"]["requests"] == 10


def test_a_plan_above_the_limit_is_refused(emulator: Emulator, client: GenAIBatchClient) -> None:
    with pytest.raises(CostLimitExceeded):
        planned(client, [TEXT] * 10, max_cost=COST * 0.99)
    assert planned(client, [TEXT] * 10, max_cost=COST * 1.01).requests == 10
    assert not emulator.jobs


def test_requests_that_nobody_here_reads_are_not_planned(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    with pytest.raises(ConfigurationError, match="it cannot be planned here"):
        planned(client, BatchSource(file_name="files/abc"), request_defaults=None)
    assert not emulator.requests


def test_without_a_price_list_a_plan_has_tokens_alone(
    emulator: Emulator, client: GenAIBatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_price_list(monkeypatch)
    plan = planned(client, [TEXT] * 10)
    assert (plan.input_tokens, plan.cost, plan.source) == (1000, {}, None)
