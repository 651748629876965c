"""Numbers of many tasks as a person reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_genai_batch.models import Cost, Manifest, RowCounts, Usage
from airflow_provider_genai_batch.models.manifest.manifest import Saved
from airflow_provider_genai_batch.models.manifest.plan import Plan
from airflow_provider_genai_batch.pages.chart import bars, parts_of
from airflow_provider_genai_batch.pages.words import between, duration, moment, number, usd

records = pytest.importorskip("airflow_provider_genai_batch.pages.records", reason="pages need Airflow 3.1")

NIGHT = datetime(2026, 3, 1, 2, tzinfo=timezone.utc)


def record(
    day: int, dollars: float, operator: str = "GenAIBatchOperator", names: tuple[str, ...] = (), **fields: Any
) -> Any:
    created = NIGHT + timedelta(days=day)
    manifest = Manifest(
        backend="gemini",
        model="gemini-2.5-flash",
        state="SUCCEEDED",
        job_names=names or ("batches/a",),
        counts=RowCounts(total=10, ok=9, error=1),
        causes={"13 INTERNAL": 1},
        usage=Usage(total=1000),
        cost=Cost(usd=dollars, models=(), source="list"),
        saved=Saved(usage=Usage(total=10), usd=0.5),
        create_time=created,
        start_time=created + timedelta(minutes=fields.get("queued", 1)),
    )
    return records.TaskRecord("d", "t", f"r{day}", -1, operator, "success", 1, created, created, manifest)


def test_tasks_that_asked_are_summed_up_and_those_that_look_again_are_not() -> None:
    from airflow_provider_genai_batch.pages.sums import sums_of

    nights = [record(day, 2.0, queued=day) for day in range(11)]
    again = [record(1, 50.0, operator) for operator in ("GenAIBatchSensor", "GenAIBatchMergeOperator")]
    sums = sums_of([*nights, *again])
    assert (sums.whole.tasks, sums.whole.rows, sums.whole.failed, sums.whole.usd) == (11, 110, 11, 22.0)
    assert sums.whole.saved == 5.5
    assert [*sums.days][:2] == ["2026-03-01", "2026-03-02"]
    assert sums.causes == {"13 INTERNAL": 11}
    assert sums.queue_times() == {"gemini-2.5-flash": (300.0, 540.0, 11)}


def test_days_without_tasks_have_their_place_in_the_picture() -> None:
    from airflow_provider_genai_batch.pages.sums import sums_of

    unbegun = replace(record(0, 7.0), begun=None)
    days = sums_of([record(0, 2.0), record(3, 1.0), unbegun]).usd_by_day()
    assert days == {"2026-03-01": 2.0, "2026-03-02": 0.0, "2026-03-03": 0.0, "2026-03-04": 1.0}
    assert sums_of([unbegun]).usd_by_day() == {}


def test_immediate_calls_count_for_no_time_in_the_queue() -> None:
    from airflow_provider_genai_batch.pages.sums import sums_of

    job = record(0, 1.0, queued=5)
    plan = Plan(
        requests=10,
        jobs=1,
        tier="batch",
        input_tokens=1,
        output_tokens=1,
        unbounded=0,
        unsized=0,
        looked_at=10,
        pilot=5,
    )
    at_once, after_pilot = (
        replace(job, manifest=job.manifest.model_copy(update=others))
        for others in ({"job_names": ()}, {"plan": plan})
    )
    assert (job.queued, at_once.queued, after_pilot.queued) == (300.0, None, None)
    assert sums_of([job, at_once, after_pilot]).queue_times() == {"gemini-2.5-flash": (300.0, 300.0, 1)}


def submitted(day: int, *names: str) -> Any:
    """A task with ``wait=False``, which has left nothing but the names of its jobs."""
    manifest = Manifest(backend="gemini", state="PENDING", job_names=names)
    began = NIGHT + timedelta(days=day)
    return records.TaskRecord(
        "d", "s", f"r{day}", -1, "GenAIBatchOperator", "success", 1, began, began, manifest
    )


def test_jobs_that_nobody_waited_for_are_summed_up_once_by_the_task_that_reads_them() -> None:
    from airflow_provider_genai_batch.pages.sums import sums_of

    reads = "GenAIBatchResultsOperator"
    sums = sums_of(
        [
            record(5, 50.0, reads, ("batches/late", "batches/more")),
            record(6, 2.0, names=("batches/late",)),
            submitted(7, "batches/b", "batches/c"),
            record(2, 3.0, reads, ("batches/b",)),
            record(3, 4.0, reads, ("batches/c",)),
            record(4, 50.0, reads, ("batches/c",)),
            record(4, 50.0, "GenAIBatchMergeOperator", ("batches/d",)),
            record(4, 50.0, "GenAIBatchSensor", ("batches/d",)),
        ]
    )
    assert (sums.whole.usd, sums.whole.rows, sums.whole.tasks) == (9.0, 30, 4)
    assert {day: one.usd for day, one in sums.days.items()} == {
        "2026-03-03": 3.0,
        "2026-03-04": 4.0,
        "2026-03-07": 2.0,
        "2026-03-08": 0.0,
    }
    assert [*sums.days] == sorted(sums.days)


def test_numbers_are_written_for_people() -> None:
    assert [*map(duration, (0, 59, 60, 3661, 90000, None))] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 1 min",
        "1 d 1 h",
        "",
    ]
    assert [*map(usd, (0, 12.3456, 1234.5, 0.01234, 0.00001, None))] == [
        "$0.00",
        "$12.35",
        "$1,234.50",
        "$0.012",
        "< $0.0001",
        "",
    ]
    assert (number(1234567), number(None)) == ("1,234,567", "")
    assert (moment(NIGHT), moment(None), between(NIGHT, None)) == ("2026-03-01 02:00", "", "")


def test_pictures_name_their_numbers_and_escape_them() -> None:
    drawn = str(bars({"<a>": 1.0, "b": 2.0}, {"<a>": "$1.00", "b": "$2.00"}, "Cost"))
    assert "&lt;a&gt;: $1.00" in drawn
    assert "<a>" not in drawn
    assert drawn.count("<rect") == 2
    assert bars({}, {}, "Cost") == ""
    assert "3 ok, 1 failed" in parts_of({"ok": 3, "failed": 1})
    assert parts_of({"ok": 0}) == ""
