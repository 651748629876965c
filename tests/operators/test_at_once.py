"""Requests that are asked at once instead of in a job: the same rows, and what is paid is kept."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_genai_batch.emulator import Capacity, Emulator, JobScript
from airflow_provider_genai_batch.exceptions import (
    ConfigurationError,
    CostLimitExceeded,
    GenAIBatchError,
    OnlineStopped,
    UnsupportedError,
)
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.rounds.online.round import OnlineRound
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, PROMPTS, SCENES, requests

KEYS = "abcdefgh"
ASKED = [{"key": key, "contents": f"Say {key}"} for key in KEYS]


def ask(src: Any = ASKED, **settings: Any) -> Ran:
    settings = {"model": MODEL, "poll_interval": 0.05, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", src=src, **settings))


def rows(path: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def calls(emulator: Emulator) -> int:
    return sum(one["path"].endswith((":generateContent", ":batchEmbedContents")) for one in emulator.requests)


@pytest.mark.parametrize("kind", ["gemini-inline", "gemini-file", "vertex-gcs", "vertex-inline"])
def test_each_kind_of_input_is_asked_without_a_job(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    backend, build = SCENES[kind]
    scene = build(request.getfixturevalue(backend), tmp_path)
    out = tmp_path / "rows.jsonl"
    ran = ask(**scene.arguments, tier="standard", results_uri=str(out))
    assert ran.state == "success", ran.errors
    assert {key: row["text"] for key, row in rows(out).items()} == {
        key: f"Answer to: {text}" for key, text in PROMPTS.items()
    }
    assert (scene.jobs, calls(scene.emulator)) == ([], len(PROMPTS))
    manifest = ran.xcom["ask"]
    assert (manifest["job_names"], manifest["state"], manifest["counts"]["ok"]) == ([], "SUCCEEDED", 3)


def test_embeddings_are_asked_at_once_too(gemini: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    texts = [f"text {number}" for number in range(120)]
    ran = ask(texts, model="gemini-embedding-001", tier="standard", results_uri=str(out))
    assert ran.state == "success", ran.errors
    assert (len(rows(out)), calls(gemini), gemini.jobs) == (120, 2, [])


def test_what_may_cost_more_at_once_than_is_allowed_is_refused_before_a_call(
    gemini: Emulator, tmp_path: Path
) -> None:
    how = {"results_uri": str(tmp_path / "rows.jsonl"), "request_defaults": {"max_output_tokens": 1000}}
    most = 0.015  # USD; eight answers may cost 0.01 in flex and 0.02 in standard
    ran = ask(tier="standard", max_cost=most, **how)
    (error,) = ran.errors
    assert isinstance(error, CostLimitExceeded)
    assert "standard prices" in str(error)
    assert calls(gemini) == 0
    ran = ask(tier="flex", max_cost=most, **how)
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["ask"]
    assert (manifest["tiers"], manifest["cost"]["models"][0]["basis"]) == ({"flex": 8}, "flex")


def test_an_input_of_few_requests_is_asked_at_once_and_a_larger_one_in_a_job(
    gemini: Emulator, tmp_path: Path
) -> None:
    for online_below, at_once in ((9, 8), (8, 0)):
        gemini.clear_requests()
        ran = ask(results_uri=str(tmp_path / "rows.jsonl"), online_below=online_below)
        assert ran.state == "success", ran.errors
        assert (calls(gemini), len(gemini.jobs)) == (at_once, not at_once)


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_rounds_after_the_first_are_asked_in_the_tier_for_them(
    gemini: Emulator, tmp_path: Path, deferrable: bool
) -> None:
    gemini.script(JobScript(row_errors={1: 13, 5: 8}, missing=[2]))
    out = tmp_path / "rows.jsonl"
    ran = ask(results_uri=str(out), retry_failed_rows=1, retry_tier="standard", deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert (len(gemini.jobs), calls(gemini)) == (1, 3)
    assert sorted(key for key, row in rows(out).items() if row.get("round")) == ["b", "c", "f"]
    manifest = ran.xcom["ask"]
    assert manifest["job_names"] == [job["name"] for job in gemini.jobs]
    assert manifest["tiers"] == {"batch": 5, "standard": 3}
    assert {key: row["tier"] for key, row in rows(out).items()} == {
        key: "standard" if key in "bcf" else "batch" for key in KEYS
    }
    batch, standard = sorted(manifest["cost"]["models"], key=lambda part: str(part["basis"]))
    assert (batch["basis"], standard["basis"]) == ("batch", "standard")
    assert standard["usd"] / batch["usd"] == pytest.approx(2 * 3 / 5)


def test_an_attempt_after_one_that_was_answered_pays_nothing(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, died = OnlineRound.submit, list[bool]()

    def die_once(self: OnlineRound, *args: Any) -> Any:
        jobs = submit(self, *args)
        if not died:
            died.append(True)
            msg = "the worker dies here"
            raise RuntimeError(msg)
        return jobs

    monkeypatch.setattr(OnlineRound, "submit", die_once)
    out = tmp_path / "rows.jsonl"
    ran = ask(tier="standard", results_uri=str(out), retries=1)
    assert ran.state == "success", ran.errors
    assert (len(ran.errors), calls(gemini), len(rows(out))) == (1, 8, 8)


def test_a_quota_of_a_day_ends_the_asking_and_the_next_attempt_asks_the_rest(
    gemini: Emulator, tmp_path: Path
) -> None:
    gemini.capacity = Capacity(day_requests=5)
    out = tmp_path / "rows.jsonl"
    seen: list[dict[str, Any]] = []

    def next_day(context: Any) -> None:
        errors.append(context["exception"])
        seen.append(rows(out))
        gemini.capacity = Capacity()
        gemini.clear_requests()

    errors: list[Any] = []
    ran = ask(tier="standard", results_uri=str(out), retries=1, on_retry_callback=next_day)
    assert ran.state == "success", ran.errors
    (error,) = errors
    assert isinstance(error, OnlineStopped)
    assert (error.why, error.answered) == ("day", 5)
    assert error.manifest is not None
    assert (error.manifest["counts"]["ok"], error.manifest["counts"]["missing"]) == (5, 3)
    assert sorted(row["status"] for row in seen[0].values()) == ["missing"] * 3 + ["ok"] * 5
    assert calls(gemini) == 3
    assert [row["status"] for row in rows(out).values()] == ["ok"] * 8


def test_airflows_time_that_ends_while_it_asks_keeps_what_was_answered_and_the_next_attempt_asks_the_rest(
    gemini: Emulator, tmp_path: Path
) -> None:
    gemini.capacity = Capacity(minute_tokens=4)  # what is over it waits for the next minute
    out = tmp_path / "rows.jsonl"
    errors: list[Any] = []
    kept: list[int] = []

    def more_room(context: Any) -> None:
        errors.append(context["exception"])
        parts = tmp_path.glob("_journal-*/*.answers")
        kept.append(sum(len(part.read_bytes().splitlines()) for part in parts))
        gemini.capacity = Capacity()
        gemini.clear_requests()

    soon = timedelta(seconds=15)
    ran = ask(
        tier="standard", results_uri=str(out), execution_timeout=soon, retries=1, on_retry_callback=more_room
    )
    assert ran.state == "success", ran.errors
    (error,) = errors
    assert isinstance(error, AirflowTaskTimeout)
    assert 0 < kept[0] < len(KEYS)
    assert calls(gemini) == len(KEYS) - kept[0]
    assert [row["status"] for row in rows(out).values()] == ["ok"] * len(KEYS)


def test_a_quota_that_is_used_up_from_the_start_is_named_and_nothing_is_landed(
    gemini: Emulator, tmp_path: Path
) -> None:
    gemini.capacity = Capacity(day_requests=0)
    out = tmp_path / "rows.jsonl"
    ran = ask(tier="standard", results_uri=str(out), retry_failed_rows=2)
    (error,) = ran.errors
    assert isinstance(error, OnlineStopped)
    assert "0 rows had been answered" in str(error)
    assert "The next attempt keeps the answers and sends the rest." in str(error)
    assert not out.exists()


REFUSED: dict[str, tuple[dict[str, Any], type[GenAIBatchError], str]] = {
    "no results_uri": ({"tier": "flex"}, ConfigurationError, "results_uri"),
    "no results_uri for later rounds": ({"retry_tier": "flex"}, ConfigurationError, "results_uri"),
    "no such tier": ({"tier": "priority"}, ConfigurationError, "'flex'"),
    "jobs are no tier of later rounds": ({"retry_tier": "batch"}, ConfigurationError, "'flex'"),
    "none are fewer than none": ({"online_below": 0}, ConfigurationError, "online_below"),
    "nobody waits": ({"tier": "standard", "wait": False}, ConfigurationError, "results_uri"),
    "a partner's model": (
        {"tier": "standard", "model": "publishers/anthropic/models/claude-sonnet-4-5"},
        UnsupportedError,
        "batch jobs only",
    ),
    "flex embeddings": ({"tier": "flex", "model": "gemini-embedding-001"}, UnsupportedError, "flex"),
    "a table": ({"tier": "standard", "src": "bq://p.d.t"}, UnsupportedError, "bq://p.d.t"),
    "a file of the service": ({"online_below": 5, "src": "files/abc"}, UnsupportedError, "files/abc"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_at_once_is_refused_when_the_dag_is_parsed(case: str) -> None:
    settings, kind, said = REFUSED[case]
    place = {} if kind is ConfigurationError else {"results_uri": "rows.jsonl"}
    arguments: dict[str, Any] = {"model": MODEL, "src": requests(), **place, **settings}
    with pytest.raises(GenAIBatchError, match=said) as caught:
        GenAIBatchOperator(task_id="ask", **arguments)
    assert type(caught.value) is kind


def test_flex_where_the_place_has_none_is_refused_before_anything_is_sent(
    vertex: Emulator, tmp_path: Path
) -> None:
    ran = ask(
        model="gemini-3.5-flash",
        tier="{{ 'flex' }}",
        results_uri=str(tmp_path / "rows.jsonl"),
        dest="gs://emulator-staging/x/",
    )
    (error,) = ran.errors
    assert isinstance(error, UnsupportedError)
    assert "us-central1" in str(error) or "global" in str(error)
    assert calls(vertex) == 0
