"""Tokens are counted as they are paid, over jobs and rounds, and priced."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from genai_prices import Usage as Tokens
from genai_prices import calc_price
from pydantic import BaseModel

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import JobFailed, TooManyFailedRows
from airflow_provider_genai_batch.models import Usage
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, client, without_price_list

TEXTS = [f"text {number} " * (number + 1) for number in range(8)]
BACKENDS = pytest.mark.parametrize("backend", ["gemini", "vertex"])
EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])


class Answer(BaseModel):
    good: bool


@pytest.fixture
def service(request: pytest.FixtureRequest, backend: str) -> Emulator:
    """Give the emulator of a backend, the default connection set."""
    return request.getfixturevalue(backend)


def ask(service: Emulator, **settings: Any) -> Ran:
    if service.storage is not None:
        settings["dest"] = "gs://emulator-staging/tokens/"
    settings = {"model": MODEL, "src": TEXTS, "poll_interval": 0.05, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


def paid(service: Emulator) -> Usage:
    """Sum what the rows of all jobs at the service say, one by one."""
    total = Usage()
    with client() as reader:
        for job in service.jobs:
            for row in reader.rows(reader.get(job["name"])):
                total += row.usage or Usage()
    return total


def at_list_price(usage: dict[str, int]) -> float:
    """Ask the price list for what tokens cost in a batch job, the way its own documentation does."""
    tokens = Tokens(input_tokens=usage["input"], output_tokens=usage["output"] + usage["thoughts"])
    return float(calc_price(tokens, MODEL, provider_id="google").total_price) / 2


@BACKENDS
@EVERY_WAY
def test_tokens_of_all_jobs_are_added_up(service: Emulator, deferrable: bool) -> None:
    ran = ask(service, max_requests_per_job=3, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert len(service.jobs) == 3
    manifest = ran.xcom["ask"]
    assert Usage(**manifest["usage"]) == paid(service)
    assert manifest["usage"]["total"] > 0
    assert manifest["cost"]["usd"] == pytest.approx(at_list_price(manifest["usage"]))


@BACKENDS
@EVERY_WAY
def test_an_answer_that_a_later_round_replaces_was_paid_too(service: Emulator, deferrable: bool) -> None:
    service.script(JobScript(answers={1: "no", 2: "no", 4: "no"}))
    service.script(JobScript(answers={0: "no"}))
    ran = ask(service, output_type=Answer, retry_failed_rows=2, deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert [int(job["rows"]["total"]) for job in service.jobs] == [8, 3, 1]
    manifest = ran.xcom["ask"]
    assert manifest["counts"]["ok"] == 8
    assert Usage(**manifest["usage"]) == paid(service)
    assert manifest["cost"]["usd"] == pytest.approx(at_list_price(manifest["usage"]))


@BACKENDS
def test_the_attempt_after_one_that_failed_adds_what_it_paid_to_what_was(service: Emulator) -> None:
    service.script(JobScript(answers={1: "no"}))
    ran = ask(service, output_type=Answer, retries=1)
    (failure,) = ran.errors
    assert isinstance(failure, TooManyFailedRows)
    assert failure.manifest is not None
    first, both = failure.manifest, ran.xcom["ask"]
    assert Usage(**both["usage"]) == paid(service)
    assert both["usage"]["total"] > first["usage"]["total"]
    assert both["cost"]["usd"] > first["cost"]["usd"] == pytest.approx(at_list_price(first["usage"]))


@BACKENDS
def test_rows_that_cannot_be_joined_were_paid_all_the_same(service: Emulator) -> None:
    service.script(JobScript(unknown_keys=["strange"], missing=[3]))
    ran = ask(service, max_failed_rows=1)
    assert ran.state == "success", ran.errors
    assert Usage(**ran.xcom["ask"]["usage"]) == paid(service)


def test_a_failed_job_has_no_cost(gemini: Emulator) -> None:
    gemini.script(JobScript(end="FAILED"))
    (failure,) = ask(gemini).errors
    assert isinstance(failure, JobFailed)
    assert failure.manifest is not None
    assert (failure.manifest["usage"], failure.manifest["cost"]) == (None, None)


def test_the_log_tells_tokens_and_cost(gemini: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "airflow_provider_genai_batch"):
        manifest = ask(gemini).xcom["ask"]
    (told,) = [line for line in caplog.messages if line.startswith("Tokens: ")]
    assert f"total={manifest['usage']['total']}" in told
    assert (
        f"about {manifest['cost']['usd']:.6f} USD (gemini-2.5-flash at {manifest['cost']['models'][0]['basis']}"
        in told
    )


def test_the_sensor_tells_the_cost_of_jobs_of_several_models_each_at_its_price(gemini: Emulator) -> None:
    with client() as service:
        names = [service.create(model, TEXTS).name for model in (MODEL, "gemini-2.5-pro", MODEL)]
    ran = run_dag(lambda: GenAIBatchSensor(task_id="wait", job_names=names, poke_interval=0.05, timeout=60))
    cost = ran.xcom["wait"]["cost"]
    assert {part["model"]: (part["input"], part["output"]) for part in cost["models"]} == {
        MODEL: (0.15, 1.25),
        "gemini-2.5-pro": (0.625, 5.0),
    }
    assert cost["usd"] == pytest.approx(sum(part["usd"] for part in cost["models"]))


def test_without_a_price_list_there_is_no_cost_and_all_else_is_as_ever(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_price_list(monkeypatch)
    ran = ask(gemini)
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["usage"]["total"] > 0
    assert ran.xcom["ask"]["cost"] is None


def test_a_model_without_a_price_has_no_cost_and_the_log_says_so(
    gemini: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "airflow_provider_genai_batch"):
        ran = ask(gemini, model="gemini-9-flash")
    assert ran.state == "success", ran.errors
    assert ran.xcom["ask"]["cost"] is None
    assert any("has no price for models/gemini-9-flash" in line for line in caplog.messages)


def test_a_manifest_with_its_cost_is_plain_json(gemini: Emulator) -> None:
    manifest = ask(gemini).xcom["ask"]
    assert json.loads(json.dumps(manifest)) == manifest
