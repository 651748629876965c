"""Checks of all rows together: what they count, what comes of one that fails, and what is refused at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.checks import Check, drift, invalid_share, length, null_share, share
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import ChecksFailed, ConfigurationError, TooManyFailedRows
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models import RowCounts
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.results.gates import Gates
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from tests.dags import run_dag
from tests.task.plain_task import MODEL, Deferred, PlainTask
from tests.task.test_attempt import client, ended

__all__ = ["client"]


class Verdict(BaseModel):
    label: Literal["positive", "negative"]
    why: str | None = None


ANSWERS = [
    {"label": "positive", "why": "warm"},
    {"label": "positive", "why": None},
    {"label": "negative"},
    {"label": "negative", "why": "cold tea"},
]
SCRIPT = {at: json.dumps(answer) for at, answer in enumerate(ANSWERS)}
PROMPTS = ["a", "b", "c", "d"]


def run(client: GenAIBatchClient, checks: Any, task: PlainTask | None = None, **how: Any) -> dict[str, Any]:
    return attempt(client, checks, task, **how).run(Attempt(look_first=task is not None))


def attempt(client: GenAIBatchClient, checks: Any, task: PlainTask | None = None, **how: Any) -> TaskAttempt:
    settings = {
        "model": MODEL,
        "poll_interval": 0.05,
        "output_type": Verdict,
        "source": lambda: PROMPTS,
        **how,
    }
    return TaskAttempt(RunSettings(conn_id="any", checks=checks, **settings), task or PlainTask(), client)


def found(manifest: Any) -> dict[str, tuple[float | None, int, bool]]:
    return {one["check"]: (one["value"], one["rows"], one["passed"]) for one in manifest["checks"]}


CHECKS = [
    share("label", "positive", between=(0.4, 0.6)),
    null_share("why", at_most=0.5),
    length("why", between=(1, 6)),
    length(between=(1, 1000)),
    invalid_share(at_most=0.3),
]


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "left at the service"])
def test_what_holds_is_told_in_the_manifest(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, landed: bool
) -> None:
    emulator.script(JobScript(answers=SCRIPT))
    manifest = run(client, CHECKS, results_uri=str(tmp_path / "rows.jsonl") if landed else None)
    assert found(manifest) == {
        "share of label = 'positive'": (0.5, 4, True),
        "null_share of why": (0.5, 4, True),
        "length of why": (6.0, 2, True),
        "length": (pytest.approx(sum(map(len, SCRIPT.values())) / 4), 4, True),
        "invalid_share": (0.0, 4, True),
    }


def test_the_last_row_of_each_request_counts_over_rounds_and_deferrals(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    emulator.script(JobScript(answers={**SCRIPT, 1: "no"}))
    emulator.script(JobScript(answers={0: SCRIPT[1]}))
    how = {"deferrable": True, "retry_failed_rows": 1}
    with pytest.raises(Deferred) as first:
        run(client, CHECKS, **how)
    with pytest.raises(Deferred) as second:
        attempt(client, CHECKS, **how).complete(ended(client, first.value))
    manifest = attempt(client, CHECKS, **how).complete(ended(client, second.value))
    assert found(manifest)["share of label = 'positive'"] == (0.5, 4, True)
    assert found(manifest)["invalid_share"] == (0.0, 4, True)


def test_one_that_fails_fails_the_task_with_rows_landed_and_the_next_attempt_pays_nothing(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    emulator.script(JobScript(answers=SCRIPT))
    path = tmp_path / "rows.jsonl"
    task, checks = PlainTask(), [share("label", "positive", between=(0.6, 0.9)), *CHECKS]
    with pytest.raises(ChecksFailed) as failed:
        run(client, checks, task, results_uri=str(path))
    error = failed.value
    assert (
        "1 of 6 checks failed: share of label = 'positive' is 0.5 in 4 rows, not between 0.6 and 0.9"
        in str(error)
    )
    assert "The next attempt submits nothing" in str(error)
    assert error.manifest
    assert error.manifest["cost"]
    assert [one["passed"] for one in error.manifest["checks"]] == [False, *[True] * 5]
    assert len(path.read_text().splitlines()) == 4
    path.unlink()
    with pytest.raises(ChecksFailed):
        run(client, checks, task, results_uri=str(path))
    assert run(client, CHECKS, task, results_uri=str(path))["counts"]["ok"] == 4
    assert len(path.read_text().splitlines()) == 4
    assert len(emulator.jobs) == 1


def test_a_warning_lets_the_task_succeed(
    emulator: Emulator, client: GenAIBatchClient, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.script(JobScript(answers=SCRIPT))
    manifest = run(client, [share("label", "positive", between=(0.6, 0.9))], on_check="warn")
    assert found(manifest) == {"share of label = 'positive'": (0.5, 4, False)}
    assert "1 of 1 checks failed" in caplog.text


def test_rows_that_failed_are_judged_first_and_no_good_row_passes_no_check(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    emulator.script(JobScript(answers=dict.fromkeys(range(4), "no")))
    with pytest.raises(TooManyFailedRows) as failed:
        run(client, CHECKS)
    assert failed.value.manifest
    assert found(failed.value.manifest)["invalid_share"] == (1.0, 4, False)
    assert found(failed.value.manifest)["share of label = 'positive'"] == (None, 0, False)


def test_true_is_no_number() -> None:
    gates = Gates(
        [
            share("n", 1, between=(0.5, 1)),
            share("n", True, between=(0, 0.5)),
            share("n", None, between=(1, 1)),
        ]
    )
    rows: Iterator[Any] = iter(
        [{"status": "ok", "output": {"n": n}, "text": ""} for n in (1, 1.0, True, "1")]
    )
    assert len([*gates.watch(rows)]) == 4
    assert [one.value for one in gates.found(RowCounts())] == [0.5, 0.25, 0]


def test_drift_is_the_largest_difference_of_shares_between_rows_of_today_and_reused_ones() -> None:
    reused = [{"reused_from": "old.jsonl", "label": label} for label in "aaaab" * 2]
    asked = [{"label": label} for label in "aabbc" * 2]
    rows: list[Any] = [
        {"status": "ok", "text": "", "output": {"label": one.pop("label")}, **one}
        for one in [*reused, *asked]
    ]
    for within, passed in ((0.3, False), (0.5, True)):
        gates = Gates([drift("label", within=within)])
        assert [*gates.watch(iter(rows))] == rows
        (told,) = gates.found(RowCounts())
        assert (told.value, told.rows, told.passed) == (pytest.approx(0.4), 20, passed)
    gates = Gates([drift("label", within=0.3)])
    assert len([*gates.watch(iter(rows[:10]))]) == 10
    assert (gates.found(RowCounts())[0].value, gates.found(RowCounts())[0].passed) == (None, True)


def test_a_drift_takes_all_values_after_the_first_thousand_as_one() -> None:
    gates = Gates([drift("label", within=0.6)])
    asked: list[Any] = [
        {"status": "ok", "text": json.dumps({"label": n}), "output": None} for n in range(2000)
    ]
    reused: list[Any] = [{**row, "reused_from": "it"} for row in asked[:1000]]
    assert len([*gates.watch([*asked, *reused])]) == 3000
    (found,) = gates.found(RowCounts(total=3000, ok=3000))
    assert found.value == 0.5


def test_a_night_whose_answers_drift_from_those_that_are_reused_fails(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    emulator.script(JobScript(answers=SCRIPT))
    emulator.script(JobScript(answers=dict.fromkeys(range(2), SCRIPT[0])))
    how = {"results_uri": str(tmp_path / "rows.jsonl"), "reuse": str(tmp_path / "rows.jsonl")}
    first = run(client, [drift("label", within=0.4)], **how)
    assert found(first) == {"drift of label": (None, 4, True)}
    night = PlainTask()
    night.owner = replace(night.owner, key="tomorrow")
    with pytest.raises(ChecksFailed) as failed:
        run(client, [drift("label", within=0.4)], night, source=lambda: [*PROMPTS, "e", "f"], **how)
    assert failed.value.manifest
    assert found(failed.value.manifest) == {"drift of label": (0.5, 6, False)}


def test_a_template_in_a_check_is_rendered(gemini: Emulator) -> None:
    gemini.script(JobScript(answers=SCRIPT))
    checks = [share("label", "{{ 'posi' ~ 'tive' }}", between=(0.4, 0.6))]
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=PROMPTS, output_type=Verdict, checks=checks, poll_interval=0.05
        )
    )
    assert ran.state == "success", ran.errors
    assert found(ran.xcom["ask"]) == {"share of label = 'positive'": (0.5, 4, True)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: share("label", "a", between=(0.6, 0.1)),
        lambda: share("label", "a", between=(0, 1)),
        lambda: share("label", "a", between=(10, 60)),
        lambda: share("label", "a", between=0.5),
        lambda: share("", "a", between=(0.1, 0.2)),
        lambda: share("label", ["a"], between=(0.1, 0.2)),
        lambda: share("score", float("nan"), between=(0.1, 0.2)),
        lambda: share("score", 10**400, between=(0.1, 0.2)),
        lambda: null_share("a..b", at_most=0.1),
        lambda: invalid_share(at_most=1),
        lambda: length(between=(float("nan"), 5)),
        lambda: drift("label", within=1),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_is_written(make: Any) -> None:
    with pytest.raises(ConfigurationError):
        make()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"checks": "label"}, "give a list of checks, made by functions"),
        ({"checks": [lambda row: row]}, "give a list of checks, made by functions"),
        ({"on_check": "ignore"}, '"fail" or "warn"'),
        ({"wait": False, "checks": CHECKS}, "With wait=False no rows are read"),
        ({"plan_only": True, "checks": CHECKS}, "With plan_only=True no rows are read"),
        ({"checks": [null_share("lable", at_most=0)]}, "It has label, why."),
        ({"checks": [drift("label", within=0.1)]}, "none are used again"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_when_the_dag_is_parsed(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        GenAIBatchOperator(task_id="ask", model=MODEL, src=PROMPTS, output_type=Verdict, **settings)


def test_a_field_of_answers_without_a_type_is_refused_before_anything_is_paid(
    emulator: Emulator, client: GenAIBatchClient
) -> None:
    checks: list[Check] = [share("label", "positive", between=(0.4, 0.6))]
    with pytest.raises(ConfigurationError, match="are not known to have fields"):
        run(client, checks, output_type=None)
    assert not emulator.requests
    assert run(client, [length(between=(1, 1000))], output_type=None)["checks"][0]["passed"]
