"""A deadline for the rows: what is refused before anything is paid, and which moment a run's ``ready_by`` is."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ConfigurationError, UnsupportedError
from airflow_provider_genai_batch.models import Pilot
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy, RunTimes, moment_of
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.ready.tiers import tiers_of
from airflow_provider_genai_batch.testing import SharedClock
from tests.dags import run_dag
from tests.operators.scenes import MODEL

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no timezone": ({"ready_by": datetime(2026, 11, 29, 6)}, "has no timezone. Write it with one"),  # noqa: DTZ001
    "no timezone as text": ({"ready_by": "2026-11-29T06:00"}, "has no timezone"),
    "no moment": ({"ready_by": "six"}, 'Write a time of day ("06:00")'),
    "no time of day": ({"ready_by": "25:00"}, "not a time"),
    "seconds": ({"ready_by": 3600}, "not a time"),
    "before the interval's end": ({"ready_by": timedelta(hours=-1)}, "not after the data interval"),
    "no tier": ({"ready_by": ReadyBy("06:00", then=["priority"])}, "['flex', 'standard']"),
    "a tier twice": ({"ready_by": ReadyBy("06:00", then=["flex", "flex"])}, "then is"),
    "tiers the other way round": ({"ready_by": ReadyBy("06:00", then=["standard", "flex"])}, "then is"),
    "no tiers": ({"ready_by": ReadyBy("06:00", then=[])}, "then is"),
    "no word for stuck": (
        {"ready_by": ReadyBy("06:00", if_stuck="hope")},
        "if_stuck is 'wait' or 'pay_twice'",
    ),
    "no money": ({"ready_by": ReadyBy("06:00", max_extra_cost=0)}, 'then=["flex"]'),
    "no place for rows": ({"ready_by": "06:00", "results_uri": None}, "needs a results_uri that is a file"),
    "no waiting": ({"ready_by": "06:00", "results_uri": None, "wait": False}, "needs wait=True"),
    "rows of the service": (
        {"ready_by": "06:00", "src": "bq://p.d.t", "dest": "gs://b/o/"},
        "only the service reads",
    ),
    "a family without tiers": ({"ready_by": "06:00", "model": "claude-sonnet-4-5"}, "batch jobs only"),
    "a tier that is asked at once": ({"ready_by": "06:00", "tier": "flex"}, "leave tier out"),
    "a retry that may wait": ({"ready_by": "06:00", "retry_tier": "flex"}, 'give it the tier "standard"'),
    "a pilot that may wait": (
        {"ready_by": "06:00", "pilot": Pilot(9, tier="flex")},
        'give it the tier "standard"',
    ),
    "a model without flex": (
        {"ready_by": ReadyBy("06:00", then="flex"), "model": "gemini-embedding-001"},
        "has no flex tier",
    ),
    "a model without flex, and what to write": (
        {"ready_by": ReadyBy("06:00", then="flex"), "model": "gemini-embedding-001"},
        "In ready_by write then=['standard'].",
    ),
}


def ask(**given: Any) -> GenAIBatchOperator:
    given = {"model": MODEL, "src": ["a"], "results_uri": "/tmp/rows.jsonl", **given}
    return GenAIBatchOperator(task_id="ask", **given)


@pytest.mark.parametrize("case", WRONG)
def test_a_deadline_that_cannot_be_meant_is_refused_when_the_dag_is_parsed(case: str) -> None:
    given, said = WRONG[case]
    with pytest.raises(ConfigurationError if "model" not in given else Exception) as caught:
        ask(**given)
    assert said in str(caught.value)


def test_a_place_without_flex_is_refused_with_what_to_write_unless_nobody_named_the_tier() -> None:
    place = ("gemini-3.5-flash", Backend.VERTEX, "us-central1")
    for then in ("flex", ["flex", "standard"]):
        with pytest.raises(UnsupportedError, match=re.escape("write then=['standard']")):
            tiers_of(ReadyBy("06:00", then=then), *place)
    assert tiers_of(ReadyBy("06:00"), *place) == (Tier.STANDARD,)
    assert tiers_of(ReadyBy("06:00"), place[0], Backend.VERTEX, "global") == (Tier.FLEX, Tier.STANDARD)


BERLIN = ZoneInfo("Europe/Berlin")


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=timezone.utc)  # type: ignore[misc,arg-type]  # year, month, day, hour


@pytest.mark.parametrize(
    ("at", "run", "expected"),
    [
        ("06:00", RunTimes(utc(2026, 11, 28)), utc(2026, 11, 28, 6)),
        ("06:00", RunTimes(utc(2026, 11, 28, 6)), utc(2026, 11, 29, 6)),
        # Where the DAG is it is 01:00 already.
        ("06:00", RunTimes(utc(2026, 11, 28), zone=BERLIN), utc(2026, 11, 28, 5)),
        ("6:30", RunTimes(utc(2026, 6, 1, 23), zone=BERLIN), utc(2026, 6, 2, 4, 30)),
        # The clocks go forward that night: 02:30 is 03:30.
        ("06:00", RunTimes(utc(2026, 3, 28, 23), zone=BERLIN), utc(2026, 3, 29, 4)),
        # Somebody started it by hand in the afternoon: the interval ended last night.
        ("06:00", RunTimes(utc(2026, 11, 28), utc(2026, 11, 28, 14)), utc(2026, 11, 29, 6)),
        ("06:00", RunTimes(None, utc(2026, 11, 28, 14)), utc(2026, 11, 29, 6)),
        (timedelta(hours=6), RunTimes(utc(2026, 11, 28), utc(2026, 11, 28, 14)), utc(2026, 11, 28, 6)),
        (timedelta(hours=6), RunTimes(None, utc(2026, 11, 28, 14)), utc(2026, 11, 28, 20)),
        ("2026-11-28T06:00:00+01:00", RunTimes(), utc(2026, 11, 28, 5)),
        ("2026-11-28 06:00:00Z", RunTimes(), utc(2026, 11, 28, 6)),
        (datetime(2026, 11, 28, 6, tzinfo=BERLIN), RunTimes(), utc(2026, 11, 28, 5)),
        (" ", RunTimes(), None),
        ("None", RunTimes(), None),
    ],
)
def test_the_moment_depends_on_the_run_alone(at: Any, run: RunTimes, expected: datetime | None) -> None:
    assert moment_of(ReadyBy(at), run) == (expected and expected.timestamp())


def test_a_span_of_time_needs_a_run_that_it_can_count_from() -> None:
    with pytest.raises(ConfigurationError, match="Write a datetime"):
        moment_of(ReadyBy(timedelta(hours=1)), RunTimes())


def test_each_field_of_it_is_a_template_and_it_serialises_alike_at_each_parse() -> None:
    def build() -> GenAIBatchOperator:
        with DAG("nightly", schedule=None):
            return ask(
                ready_by=ReadyBy(
                    "{{ data_interval_end + macros.timedelta(hours=6) }}",
                    then=["{{ params.tier }}"],
                    model="{{ params.model }}",
                )
            )

    task = build()
    assert str(task.ready_by) == str(build().ready_by)
    context: Any = {
        "data_interval_end": utc(2026, 11, 28),
        "params": {"tier": "flex", "model": MODEL},
        "macros": __import__("airflow.sdk.execution_time.macros", fromlist=["timedelta"]),
    }
    task.render_template_fields(context)
    assert task.ready_by == ReadyBy("2026-11-28 06:00:00+00:00", then=["flex"], model=MODEL)
    assert moment_of(task.ready_by, RunTimes()) == utc(2026, 11, 28, 6).timestamp()


def test_without_templates_it_may_be_only_the_moment() -> None:
    assert ask(ready_by=timedelta(hours=6)).ready_by == timedelta(hours=6)
    assert ask(ready_by="{{ var.value.ready }}").ready_by == "{{ var.value.ready }}"


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_task_in_airflow_leaves_a_stuck_job_and_lands_one_table(
    gemini: Emulator, virtual_clock: SharedClock, tmp_path: Path, deferrable: bool
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5, cancel_looks=3))
    out, at = tmp_path / "rows.jsonl", datetime.fromtimestamp(virtual_clock.time() + 7200, timezone.utc)
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=[{"key": key, "contents": f"Say {key}"} for key in "abcdefgh"],
            results_uri=str(out),
            ready_by=at,
            deferrable=deferrable,
        )
    )
    assert ran.state == "success", ran.errors
    assert (ran.xcom["ask"]["tiers"], ran.xcom["ask"]["rounds"]) == ({"batch": 4, "flex": 4}, 2)
    assert sorted(json.loads(line)["key"] for line in out.read_text().splitlines()) == [*"abcdefgh"]
    assert (len(gemini.jobs), virtual_clock.time() < at.timestamp()) == (1, True)


def test_each_of_several_jobs_keeps_what_it_answered(
    gemini: Emulator, virtual_clock: SharedClock, tmp_path: Path
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.timed(running=600)))
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    gemini.script(JobScript(lifecycle=Lifecycle.stuck()))
    at = datetime.fromtimestamp(virtual_clock.time() + 7200, timezone.utc)
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=[{"key": key, "contents": f"Say {key}"} for key in "abcdefghijklmnop"],
            results_uri=str(tmp_path / "rows.jsonl"),
            ready_by=at,
            deferrable=True,
            max_requests_per_job=4,
            max_active_jobs=2,
        )
    )
    assert ran.state == "success", ran.errors
    # Two of the four jobs were there; the last one was not created any more.
    assert (ran.xcom["ask"]["tiers"], len(gemini.jobs)) == ({"batch": 6, "flex": 10}, 3)
    assert ran.xcom["ask"]["counts"]["ok"] == 16
