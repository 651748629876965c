"""A deadline for the rows: a job that would be late is left, and only its rest is asked at once."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Capacity, Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import ConfigurationError, CostLimitExceeded, DeadlineMissed
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.task.journal.journal import Journal, Part
from airflow_provider_genai_batch.task.ready.leave import Leaving
from airflow_provider_genai_batch.testing import SharedClock
from tests.nights.night import KilledError, Night

HOUR = 3600.0
KEYS = [f"k{number:02}" for number in range(20)]
EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
Build = Callable[..., Night]


@pytest.fixture
def night(virtual_clock: SharedClock, connect: Callable[..., Any], tmp_path: Path) -> Build:
    """Give a function that makes a task with a deadline so many seconds ahead."""

    def build(seconds: float = 3 * HOUR, *, retries: int = 0, at: Any = None, **how: Any) -> Night:
        names = {"then": "then", "if_stuck": "if_stuck", "extra": "max_extra_cost", "another": "model"}
        ready_by = {field: how.pop(name) for name, field in names.items() if name in how}
        moment = at or datetime.fromtimestamp(virtual_clock.time() + seconds, timezone.utc)
        settings = {
            "conn_id": "any",
            "model": "gemini-2.5-flash",
            "source": lambda: [{"key": key, "contents": f"Say {key}"} for key in KEYS],
            "results_uri": str(tmp_path / "rows.jsonl"),
            "ready_by": ReadyBy(moment, **ready_by),
            **how,
        }
        return Night(settings, connect, retries=retries)

    return build


def rows(night: Night) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in Path(night.settings["results_uri"]).read_text().splitlines()]
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row for row in found}


def calls(emulator: Emulator) -> int:
    return sum(one["path"].endswith(":generateContent") for one in emulator.requests)


def at_of(night: Night) -> float:
    at: float = night.settings["ready_by"].at.timestamp()
    return at


@EVERY_WAY
def test_a_job_that_is_stuck_is_left_and_all_rows_are_ready_in_time(
    night: Build,
    emulator: Emulator,
    virtual_clock: SharedClock,
    deferrable: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck()))
    task = night(deferrable=deferrable)
    with caplog.at_level(logging.INFO):
        manifest = task.go()
    assert manifest is not None, task.errors
    assert virtual_clock.time() < at_of(task)
    assert (manifest["counts"]["ok"], len(rows(task))) == (20, 20)
    assert (len(emulator.jobs), emulator.jobs[0]["state"], calls(emulator)) == (1, "CANCELLED", 20)
    assert "20 of 20 requests have no answer yet" in caplog.text
    until = {datetime.fromisoformat(f"{one}+00:00") for one in re.findall(r"until (.{16}) UTC", caplog.text)}
    assert until, "a wait of hours is no silence"
    assert max(until).timestamp() < at_of(task), "nobody waits for the job as long as the service would"
    # It had nearly all of the time: what is left of it is for the cancellation, a try in flex, and writing the rows.
    assert at_of(task) - virtual_clock.time() < 900


@EVERY_WAY
def test_rows_that_the_job_has_answered_are_kept_and_only_the_rest_is_asked(
    night: Build, emulator: Emulator, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.6))
    task = night(deferrable=deferrable)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (manifest["counts"]["ok"], len(rows(task)), calls(emulator)) == (20, 20, 8)
    assert sum(row.get("round") == 1 for row in rows(task).values()) == 8
    assert manifest["tiers"] == {"batch": 12, "flex": 8}
    if manifest["cost"] is not None:  # flex is billed as a batch job is
        assert manifest["cost"]["usd"] == pytest.approx(manifest["cost"]["usd_in_batch"])


def test_a_job_that_ends_in_time_is_not_left(night: Build, emulator: Emulator) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=HOUR, running=HOUR)))
    task = night()
    assert task.go() is not None, task.errors
    assert calls(emulator) == 0


def test_a_full_flex_tier_is_left_for_the_standard_tier(
    night: Build, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck()))
    emulator.capacity = Capacity(spells={"flex": (0, 1)})
    task = night()
    with caplog.at_level(logging.INFO):
        manifest = task.go()
    assert manifest is not None, task.errors
    assert manifest["counts"]["ok"] == 20
    assert "Sending 20 requests as immediate calls, in the standard tier." in caplog.text
    assert manifest["tiers"] == {"standard": 20}
    if manifest["cost"] is not None:
        assert manifest["cost"]["usd"] == pytest.approx(2 * manifest["cost"]["usd_in_batch"])


def test_where_the_time_is_too_short_for_a_job_none_is_created(night: Build, emulator: Emulator) -> None:
    task = night(300)
    assert task.go() is not None, task.errors
    assert (emulator.jobs, calls(emulator)) == ([], 20)


def test_a_moment_that_has_passed_is_refused_before_anything_is_asked(
    night: Build, emulator: Emulator
) -> None:
    task = night(-60)
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, ConfigurationError)
    assert "has passed" in str(error)
    assert (emulator.jobs, calls(emulator)) == ([], 0)


@EVERY_WAY
def test_a_job_that_does_not_end_its_cancellation_misses_the_deadline_and_says_so(
    night: Build, emulator: Emulator, virtual_clock: SharedClock, deferrable: bool
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_looks=10_000))
    task = night(deferrable=deferrable)
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, DeadlineMissed)
    assert 'if_stuck="pay_twice"' in str(error)
    assert -2 < virtual_clock.time() - at_of(task) < 60
    assert calls(emulator) == 0


def test_who_would_rather_pay_twice_has_all_rows_in_time(
    night: Build, emulator: Emulator, virtual_clock: SharedClock
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), cancel_looks=10_000))
    task = night(deferrable=True, if_stuck="pay_twice")
    manifest = task.go()
    assert manifest is not None, task.errors
    assert virtual_clock.time() < at_of(task)
    assert (manifest["counts"]["ok"], calls(emulator)) == (20, 20)


def test_what_is_there_at_the_deadline_is_landed_and_the_next_attempt_asks_the_rest(
    night: Build, emulator: Emulator, virtual_clock: SharedClock
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    emulator.capacity = Capacity(spells=dict.fromkeys(("flex", "standard"), (0.0, 1.0)))
    task = night(deferrable=True, then="standard")
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, DeadlineMissed), error
    assert 0 <= virtual_clock.time() - at_of(task) < 120
    assert error.manifest is not None
    assert error.manifest["counts"]["ok"] == sum(row["status"] == "ok" for row in rows(task).values()) == 10
    emulator.capacity = Capacity()
    before = calls(emulator)
    task.begin = 1
    manifest = task.go()
    assert manifest is not None, task.errors
    assert (manifest["counts"]["ok"], len(rows(task)), calls(emulator) - before) == (20, 20, 10)
    assert len(emulator.jobs) == 1


@pytest.mark.parametrize(("state", "left"), [("RUNNING", 10), ("PENDING", 20)])
def test_an_attempt_whose_worker_died_while_it_asked_is_followed_by_one_that_asks_the_rest(
    night: Build, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, state: str, left: int
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck(state), served=0.5))
    task = night(retries=1)
    journal, died = Journal.write, list[int]()

    def die(self: Journal, part: Part, lines: Sequence[bytes]) -> None:
        journal(self, part, lines)
        if not died:
            died.append(len(lines))
            raise KilledError

    monkeypatch.setattr(Journal, "write", die)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert [type(error) for error in task.errors] == [KilledError]
    # What the dead process had written down is not asked again; what was under way may be.
    assert (manifest["counts"]["ok"], len(rows(task)), len(emulator.jobs)) == (20, 20, 1)
    assert left <= calls(emulator) <= left + (left - died[0])


def test_a_job_that_ends_as_it_is_left_is_not_cancelled(
    night: Build, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    task, leave = night(), Leaving.leave

    def ends_before(self: Leaving, *given: Any) -> Any:
        emulator.force(emulator.jobs[0]["name"], "SUCCEEDED")
        return leave(self, *given)

    monkeypatch.setattr(Leaving, "leave", ends_before)
    manifest = task.go()
    assert manifest is not None, task.errors
    assert manifest["counts"]["ok"] == 20
    assert not [one for one in emulator.requests if one["path"].endswith((":cancel", ":generateContent"))]


def test_no_more_is_spent_than_was_allowed_above_batch_price(night: Build, emulator: Emulator) -> None:
    pytest.importorskip("genai_prices")
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.0))
    many = [{"key": f"k{number:03}", "contents": f"Say {number}"} for number in range(200)]
    task = night(then="standard", extra=0.00005, source=lambda: many)
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, DeadlineMissed), error
    assert "max_extra_cost=5e-05 has been spent" in str(error)
    assert error.manifest is not None
    assert 0 < error.manifest["counts"]["ok"] == calls(emulator) < 200


def test_the_rest_may_be_asked_of_another_model(night: Build, emulator: Emulator) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.5))
    task = night(another="gemini-2.5-flash-lite")
    assert task.go() is not None, task.errors
    assert {
        one["path"].rpartition("/")[2] for one in emulator.requests if "generateContent" in one["path"]
    } == {"gemini-2.5-flash-lite:generateContent"}
    assert len(rows(task)) == 20


def test_max_cost_is_held_by_the_prices_of_the_model_that_is_asked_then(
    night: Build, emulator: Emulator
) -> None:
    pytest.importorskip("genai_prices")
    task = night(
        100,
        another="gemini-2.5-pro",
        then="standard",
        max_cost=0.003,
        request_defaults={"max_output_tokens": 30},
    )
    assert task.go() is None
    (error,) = task.errors
    assert isinstance(error, CostLimitExceeded), error
    assert "gemini-2.5-pro" in str(error)
    assert (emulator.jobs, calls(emulator)) == ([], 0)


def test_the_manifest_names_the_model_that_was_asked(night: Build, emulator: Emulator) -> None:
    emulator.script(JobScript(row_errors={3: 13}))
    task = night(another="gemini-2.5-pro", pilot=5, retry_failed_rows=1, retry_tier="standard")
    manifest = task.go()
    assert manifest is not None, task.errors
    assert manifest["model"] == "gemini-2.5-flash"
    assert manifest["tiers"] == {"batch": 14, "standard": 6}
