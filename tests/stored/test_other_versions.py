"""A task whose deferral was written by another version of this package goes on, and pays nothing twice."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch import __version__
from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import JobLost
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.submission import search
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan, Why
from airflow_provider_genai_batch.models.stored import read_stored
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.state import AttemptState, Checkpoint
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from airflow_provider_genai_batch.triggers.job_events import GenAIBatchJobsTrigger
from airflow_provider_genai_batch.triggers.pause import GenAIBatchPauseTrigger
from tests.operators.scenes import MODEL, client
from tests.stored.passages import PASSAGES, Passage

VERSIONS = sorted(path.stem for path in Path(__file__).parent.glob("*.json"))
NEWER = {"of_a_newer_version": {"and": ["more"]}}
_FREE = ("states",)
"""Objects whose names are no fields."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the looks of a task that resumes; how long they are is tested with the flows."""
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01,))


def recorded(version: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((Path(__file__).parent / f"{version}.json").read_text())
    return told


def as_recorded(now: Any, then: Any) -> Any:
    """Return what a version recorded, with the names and times of now wherever it has them in the same way."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {
            name: as_recorded(now[name], it) if name in now else it
            for name, it in then.items()
            if name not in _FREE
        } | {name: now[name] for name in _FREE if name in then}
    return now if type(now) is type(then) else then


def as_newer(told: Any) -> Any:
    """Return it with a field more in each object."""
    if isinstance(told, list):
        return [as_newer(item) for item in told]
    if not isinstance(told, dict):
        return told
    return {name: it if name in _FREE else as_newer(it) for name, it in told.items()} | NEWER


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", PASSAGES)
def test_what_every_version_recorded_is_taken(gemini: Emulator, version: str, name: str) -> None:
    then = {told["trigger"]: told for told in recorded(version)["tasks"][name]["deferrals"]}
    passage = Passage()

    def change(what: str) -> Callable[[int, dict[str, Any]], dict[str, Any]]:
        return lambda number, now: as_recorded(now, then[passage.seen[number]["trigger"]][what])

    passage.kwargs, passage.event = change("kwargs"), change("event")
    comes_through(name, gemini, passage)
    assert {told["trigger"] for told in passage.seen} == then.keys()


@pytest.mark.parametrize("name", PASSAGES)
def test_fields_that_only_a_newer_version_has_are_ignored(gemini: Emulator, name: str) -> None:
    comes_through(
        name, gemini, Passage(kwargs=lambda _, now: as_newer(now), event=lambda _, now: as_newer(now))
    )


def test_fields_that_an_older_version_did_not_have_are_defaulted(gemini: Emulator) -> None:
    def kwargs(_: int, now: dict[str, Any]) -> dict[str, Any]:
        assert {"job_names", "plan", "memo"} <= now.keys()
        return {"job_names": now["job_names"]}

    def event(_: int, now: dict[str, Any]) -> dict[str, Any]:
        return {name: now[name] for name in ("why", "job_names")}

    comes_through("one job", gemini, Passage(kwargs=kwargs, event=event))


def comes_through(name: str, emulator: Emulator, passage: Passage) -> None:
    run, paid = PASSAGES[name]
    ran = run(emulator, passage)
    assert ran.state == "success", ran.errors
    assert passage.seen
    assert ran.xcom["task"]["counts"]["ok"] == 2
    assert len(emulator.jobs) == paid


@pytest.fixture
def emulator_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Let jobs go on at the first look."""
    return {}


@pytest.mark.parametrize("why", [None, "in_a_way_of_a_newer_version"])
def test_an_event_that_does_not_say_how_the_waiting_ended_loses_no_job(
    gemini: Emulator, why: str | None
) -> None:
    passage = Passage(event=lambda _, now: {**now, "why": why})
    ran = PASSAGES["one job"][0](gemini, passage)
    (error,) = ran.errors
    assert isinstance(error, JobLost)
    assert error.job_names == (gemini.jobs[0]["name"],) or [*error.job_names] == [gemini.jobs[0]["name"]]
    assert not gemini.jobs[0]["cancel_requested"]


@pytest.mark.parametrize("kind", [GenAIBatchTrigger, GenAIBatchPauseTrigger, GenAIBatchJobsTrigger])
def test_every_trigger_can_be_made_of_any_of_its_arguments(kind: Any) -> None:
    whole = kind().serialize()[1]
    for name in whole:
        rest = {field: value for field, value in whole.items() if field != name}
        assert kind(**rest, **NEWER).serialize()[1].keys() == whole.keys()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_watcher_that_a_version_recorded_fires(gemini: Emulator, version: str) -> None:
    with client() as service:
        gemini.script(JobScript(lifecycle=Lifecycle.at_once()))
        job = service.create(MODEL, ["one"], display_name="nightly one")
    events = GenAIBatchJobsTrigger(**recorded(version)["GenAIBatchJobsTrigger"], **NEWER).run()
    event = await anext(events)
    await events.aclose()
    assert event.payload["job_name"] == job.name


@pytest.mark.parametrize("version", VERSIONS)
def test_a_record_that_a_version_wrote_is_read(version: str) -> None:
    tasks = recorded(version)["tasks"].values()
    records = [record for task in tasks for record in task["records"] if record is not None]
    assert any(record["job"] for record in records)
    for record in records:
        read = Record.from_dict({**record, **NEWER})
        assert (read.tag, read.intent, read.job) == (record["tag"], record["intent"], record["job"])


def test_the_recording_of_this_version_has_every_field_that_is_stored_today() -> None:
    task = recorded(__version__)["tasks"]["one job"]
    kwargs = task["deferrals"][0]["kwargs"]
    here = {
        WaitPlan: kwargs["plan"],
        Checkpoint: kwargs["memo"],
        AttemptState: kwargs["memo"]["state"],
        InputFacts: kwargs["memo"]["facts"],
        Record: {**task["records"][0], "outdated": None},  # which is worked out, never stored
    }
    for kind, told in here.items():
        assert told.keys() == {field.name for field in dataclasses.fields(kind)}, kind


@pytest.mark.parametrize("name", ["tag", "intent", "job"])
def test_a_record_that_lacks_a_part_does_not_say_that_a_create_was_refused(name: str) -> None:
    whole = {"tag": "t", "intent": 5.0, "job": ""}
    broken = [{**whole, name: None}, {field: it for field, it in whole.items() if field != name}]
    assert [Record.from_dict(record) for record in broken] == [Record(), Record()]


def test_a_value_of_another_type_takes_the_default_and_leaves_the_others() -> None:
    @dataclasses.dataclass(frozen=True)
    class Inner:
        number: int = 3
        maybe: str | None = "none"

    @dataclasses.dataclass(frozen=True)
    class Outer:
        inner: Inner = dataclasses.field(default_factory=Inner)
        many: tuple[str, ...] = ()
        by_name: dict[str, float] = dataclasses.field(default_factory=dict)
        on: bool = False
        how: Why = Why.LOST
        anything: Any = None

    globals().update(Inner=Inner)  # where the types of a dataclass are looked up
    stored = {
        "inner": {"number": True, "maybe": None},
        "many": ["a", "b"],
        "by_name": {"x": 1},
        "on": 1,
        "how": "ended",
        "anything": [1],
    }
    assert read_stored(Outer, stored) == Outer(
        Inner(3, None), ("a", "b"), {"x": 1}, on=False, how=Why.ENDED, anything=[1]
    )
    assert read_stored(Outer, ["no object"]) == Outer()
    assert read_stored(Outer, {"many": [1]}) == Outer()


def test_a_plan_and_an_ending_survive_a_trip_through_json() -> None:
    plan = WaitPlan(1.0, 2.0, 3.0, cancel_on_timeout=False)
    assert WaitPlan.from_dict(json.loads(json.dumps({**plan.as_dict(), **NEWER}))) == plan
    ending = Ending(Why.TIMED_OUT, {"a": "B"}, "timeout", cancelled=True)
    assert Ending.from_dict(json.loads(json.dumps({**ending.as_dict(), **NEWER}))) == ending
