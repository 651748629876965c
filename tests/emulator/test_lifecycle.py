"""How jobs move: looks, time, the service's own limits, and cancels."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle, RealClock, VirtualClock
from tests.emulator.talk import Gemini

HOUR = 3600
START = datetime(2026, 9, 1, 10, tzinfo=timezone.utc)


def state(job: dict) -> str:
    return job["metadata"]["state"].removeprefix("BATCH_STATE_")


def states(api: Gemini, name: str, looks: int) -> list[str]:
    return [state(api.get(name)) for _ in range(looks)]


@pytest.mark.parametrize(
    ("looks", "seen"),
    [
        (0, ["SUCCEEDED", "SUCCEEDED"]),
        (1, ["RUNNING", "SUCCEEDED"]),
        (3, ["PENDING", "PENDING", "RUNNING", "SUCCEEDED"]),
    ],
)
def test_that_many_looks_find_the_job_unfinished(looks: int, seen: list[str]):
    with Emulator(lifecycle=Lifecycle(looks=looks)) as emulator, Gemini(emulator.url) as api:
        created = api.inline("a")
        assert state(created) == "PENDING"
        assert states(api, created["name"], len(seen)) == seen


@pytest.mark.parametrize(("counts", "seen"), [(True, "SUCCEEDED"), (False, "RUNNING")])
def test_an_appearance_in_a_list_is_a_look_unless_it_is_not_to_be(counts: bool, seen: str):
    with Emulator(lifecycle=Lifecycle(looks=1, list_counts=counts)) as emulator, Gemini(emulator.url) as api:
        name = api.inline("a")["name"]
        api.list()
        assert state(api.get(name)) == seen


def test_looking_at_the_emulator_is_no_look(api: Gemini, emulator: Emulator):
    name = api.inline("a")["name"]
    assert [emulator.jobs[0]["looks"] for _ in range(3)] == [0, 0, 0]
    assert states(api, name, 2) == ["RUNNING", "SUCCEEDED"]
    assert emulator.jobs[0]["live"] is False


def test_time_moves_a_job_and_dates_its_end():
    clock = VirtualClock(START)
    with (
        Emulator(clock=clock, lifecycle=Lifecycle.timed(pending=60, running=120)) as emulator,
        Gemini(emulator.url) as api,
    ):
        name = api.inline("a")["name"]
        assert states(api, name, 2) == ["PENDING", "PENDING"]
        clock.advance(60)
        assert state(api.get(name)) == "RUNNING"
        clock.advance(3600)
        ended = api.get(name)
        assert state(ended) == "SUCCEEDED"
        assert ended["metadata"]["createTime"] == "2026-09-01T10:00:00.000000000Z"
        assert ended["metadata"]["endTime"] == "2026-09-01T10:03:00.000000000Z"


def test_counters_move_while_a_batch_runs():
    clock = VirtualClock(START)
    with (
        Emulator(clock=clock, lifecycle=Lifecycle.timed(pending=60, running=100)) as emulator,
        Gemini(emulator.url) as api,
    ):
        emulator.script(JobScript(row_errors={"row-0": 13}))
        name = api.inline(*"abcdefghij")["name"]
        seen = []
        for seconds in (30, 55, 30, 35, 20):
            clock.advance(seconds)
            stats = api.get(name)["metadata"]["batchStats"]
            seen.append(
                [int(stats.get(f"{kind}RequestCount", 0)) for kind in ("successful", "failed", "pending")]
            )
    assert seen == [[0, 0, 10], [2, 0, 8], [5, 0, 5], [9, 0, 1], [9, 1, 0]]


@pytest.mark.parametrize("stuck", ["PENDING", "RUNNING"])
def test_a_stuck_job_expires_after_48_hours_without_results(stuck: str):
    with Emulator(lifecycle=Lifecycle.stuck(stuck)) as emulator, Gemini(emulator.url) as api:
        name = api.inline("a")["name"]
        assert states(api, name, 5) == [stuck] * 5
        emulator.clock.advance(47 * HOUR)
        assert state(api.get(name)) == stuck
        emulator.clock.advance(2 * HOUR)
        ended = api.get(name)
    assert state(ended) == "EXPIRED"
    assert ended["done"] is True
    assert "response" not in ended
    assert ended["metadata"]["batchStats"] == {"requestCount": "1", "pendingRequestCount": "1"}


def test_a_scripted_job_passes_through_every_state_it_was_given(api: Gemini, emulator: Emulator):
    emulator.script(
        JobScript(states=["BATCH_STATE_PENDING", "BATCH_STATE_DREAMING", "RUNNING"], end="FAILED")
    )
    name = api.inline("a")["name"]
    shown = [api.get(name)["metadata"]["state"] for _ in range(4)]
    assert shown == [
        "BATCH_STATE_PENDING",
        "BATCH_STATE_DREAMING",
        "BATCH_STATE_RUNNING",
        "BATCH_STATE_FAILED",
    ]


def test_an_unknown_end_is_never_done(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(end="BATCH_STATE_HIBERNATING"))
    name = api.inline("a")["name"]
    shown = [api.get(name) for _ in range(4)][-1]
    assert shown["metadata"]["state"] == "BATCH_STATE_HIBERNATING"
    assert "done" not in shown
    assert emulator.jobs[0]["live"] is True


def test_a_cancel_before_the_start_ends_cancelled_with_code_13_and_pending_rows(api: Gemini):
    name = api.inline("a", "b")["name"]
    api.cancel(name)
    ended = api.get(name)
    assert state(ended) == "CANCELLED"
    assert ended["done"] is True
    assert ended["error"]["code"] == 13
    assert ended["metadata"]["batchStats"] == {"requestCount": "2", "pendingRequestCount": "2"}
    assert "response" not in ended


def test_a_cancel_while_it_runs_ends_succeeded_with_cancelled_rows(api: Gemini):
    name = api.inline("a", "b", "c", "d")["name"]
    assert state(api.get(name)) == "RUNNING"
    api.cancel(name)
    ended = api.get(name)
    rows = ended["response"]["inlinedResponses"]["inlinedResponses"]
    assert state(ended) == "SUCCEEDED"
    assert [row.get("error") for row in rows] == [None, None, {"code": 1}, {"code": 1}]
    assert ended["metadata"]["batchStats"]["failedRequestCount"] == "2"


def test_a_cancel_after_the_end_changes_nothing(api: Gemini, emulator: Emulator):
    name = api.inline("a")["name"]
    before = api.ended(name)
    assert api.cancel(name) == {}
    assert api.get(name) == before
    assert emulator.jobs[0]["cancel_requested"] is False


def test_a_cancel_may_take_a_while_or_be_ignored(api: Gemini, emulator: Emulator):
    slow = Lifecycle(looks=9)
    emulator.script(JobScript(lifecycle=slow, cancel_looks=2))
    emulator.script(JobScript(lifecycle=Lifecycle(looks=2), cancel_ignored=True))
    first, second = api.inline("a")["name"], api.inline("b")["name"]
    api.cancel(first)
    api.cancel(second)
    assert states(api, first, 3) == ["PENDING", "PENDING", "CANCELLED"]
    assert states(api, second, 3) == ["PENDING", "RUNNING", "SUCCEEDED"]


@pytest.mark.parametrize("end", ["EXPIRED", "FAILED", "CANCELLED"])
def test_rows_may_come_back_from_a_job_that_ended_early(api: Gemini, emulator: Emulator, end: str):
    emulator.script(JobScript(end=end, served=0.5))
    ended = api.ended(api.inline("a", "b")["name"])
    rows = ended["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert state(ended) == end
    assert [row["metadata"]["key"] for row in rows] == ["row-0"]


def test_a_failed_job_says_why(api: Gemini, emulator: Emulator):
    error = {"code": 8, "message": "quota", "details": [{"@type": "x", "a": 1}]}
    emulator.script(JobScript(end="FAILED", error=error))
    ended = api.ended(api.inline("a")["name"])
    assert ended["error"] == error
    assert ended["done"] is True


def test_a_real_clock_does_not_move():
    with pytest.raises(TypeError, match="VirtualClock"):
        RealClock().advance(1)
    with pytest.raises(ValueError, match="back"):
        VirtualClock().advance(-1)


@pytest.mark.parametrize("wrong", [{}, {"looks": 1, "running": 2}, {"looks": -1}])
def test_a_lifecycle_says_one_thing(wrong: dict):
    with pytest.raises(ValueError, match=r"one of|negative"):
        Lifecycle(**wrong)


def test_forcing_a_state_holds_the_job_there_or_ends_it(api: Gemini, emulator: Emulator):
    name = api.inline("a")["name"]
    emulator.force(name, "PAUSED")
    assert states(api, name, 3) == ["PAUSED"] * 3
    emulator.force(name, "FAILED", {"code": 3, "message": "by hand"})
    assert api.get(name)["error"] == {"code": 3, "message": "by hand"}
    with pytest.raises(ValueError, match="ended"):
        emulator.force(name, "RUNNING")
