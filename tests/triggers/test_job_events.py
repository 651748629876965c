"""The trigger for asset watchers fires once for each job that matches and ends, whoever submitted it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import pytest
import structlog
from airflow.triggers.base import BaseEventTrigger
from airflow.triggers.shared_stream import SharedStreamManager

from airflow_provider_genai_batch.client.transport import retries as attempts
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.hooks.state_store import fired_events as fired
from airflow_provider_genai_batch.hooks.state_store import state_store
from airflow_provider_genai_batch.triggers import job_events
from airflow_provider_genai_batch.triggers.job_events import ENDS, GenAIBatchJobsTrigger
from tests.operators.scenes import MODEL, client, lines
from tests.waiting import until

AT_ONCE = JobScript(lifecycle=Lifecycle.at_once())


def submit(emulator: Emulator, *names: str, script: JobScript = AT_ONCE, model: str = MODEL) -> list[str]:
    with client() as service:
        jobs = []
        for name in names:
            emulator.script(script)
            jobs.append(service.create(model, ["a prompt"], display_name=name).name)
        return jobs


def trigger(**settings: Any) -> GenAIBatchJobsTrigger:
    return GenAIBatchJobsTrigger(poll_interval=0.05, **settings)


@asynccontextmanager
async def running(watching: GenAIBatchJobsTrigger) -> AsyncGenerator[list[dict[str, Any]], None]:
    """Run a trigger for a while; give the payloads of its events as they come."""
    payloads: list[dict[str, Any]] = []

    async def run() -> None:
        async for event in watching.run():
            payloads.append(event.payload)  # noqa: PERF401 - one by one, as they come

    task = asyncio.ensure_future(run())
    try:
        yield payloads
        assert not task.done(), "it ended"
    finally:
        task.cancel()
        await asyncio.wait([task])


def rounds(emulator: Emulator) -> int:
    return sum(
        request["method"] in ("batches.list", "batchPredictionJobs.list") for request in emulator.requests
    )


async def some_rounds(emulator: Emulator, count: int = 3) -> None:
    goal = rounds(emulator) + count
    await until(lambda: rounds(emulator) >= goal)


async def test_it_fires_for_each_job_that_ends_once_and_says_how(gemini: Emulator) -> None:
    before = submit(gemini, "before")
    async with running(trigger()) as payloads:
        await until(lambda: len(payloads) == 1)
        after = await asyncio.to_thread(
            submit, gemini, "after", script=JobScript(end="FAILED", error={"code": 8})
        )
        await until(lambda: len(payloads) == 2)
        await some_rounds(gemini)
    assert [payload["job_name"] for payload in payloads] == before + after
    first = payloads[0]
    assert (first["display_name"], first["state"], first["backend"]) == ("before", "SUCCEEDED", "gemini")
    assert (first["model"], first["counts"]["succeeded"]) == (f"models/{MODEL}", 1)
    assert first["create_time"] <= first["end_time"]
    assert payloads[1]["state"] == "FAILED"
    assert "a prompt" not in json.dumps(payloads)


async def test_a_job_that_ended_before_the_window_does_not_fire(gemini: Emulator) -> None:
    submit(gemini, "before")
    with client() as service:
        assert next(service.list()).done
    async with running(trigger(window=0)) as payloads:
        await some_rounds(gemini)
        await asyncio.to_thread(submit, gemini, "after")
        await until(lambda: payloads)
        await some_rounds(gemini)
    assert [payload["display_name"] for payload in payloads] == ["after"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["nightly-1", "nightly-2", "Nightly-3"]),
        ({"display_name": "nightly-*"}, ["nightly-1", "nightly-2"]),
        ({"display_name": "*-[23]", "states": ["SUCCEEDED"]}, ["Nightly-3"]),
        ({"states": ["FAILED", "EXPIRED"]}, ["nightly-2"]),
        ({"model": "gemini-2.5-*"}, ["nightly-1", "nightly-2"]),
        ({"model": "models/gemini-3*"}, ["Nightly-3"]),
        ({"labels": {"team": "red"}}, []),
    ],
    ids=str,
)
async def test_it_fires_for_what_matches_alone(
    gemini: Emulator, settings: dict[str, Any], expected: list[str]
) -> None:
    submit(gemini, "nightly-1")
    submit(
        gemini, "nightly-2", script=JobScript(lifecycle=Lifecycle.at_once(), end="FAILED", error={"code": 8})
    )
    submit(gemini, "Nightly-3", model="gemini-3-pro-preview")
    async with running(trigger(**settings)) as payloads:
        await some_rounds(gemini)
        await until(lambda: len(payloads) >= len(expected))
    assert sorted(payload["display_name"] for payload in payloads) == sorted(expected)


async def test_on_vertex_labels_tell_jobs_apart(vertex: Emulator) -> None:
    source = "gs://emulator-staging/events/in.jsonl"
    with client() as service:
        service.upload(BytesIO(lines()), source)
        for team in ("red", "blue"):
            vertex.script(AT_ONCE)
            labels = {"team": team, "env": "test"}
            service.create(
                MODEL, source, dest="gs://emulator-staging/events/", display_name=team, labels=labels
            )
    async with running(trigger(labels={"team": "red"})) as payloads:
        await until(lambda: payloads)
        await some_rounds(vertex)
    assert [(payload["display_name"], payload["labels"]["env"]) for payload in payloads] == [("red", "test")]


@pytest.mark.parametrize("status", [429, 503, 403])
async def test_trouble_with_the_list_is_waited_out(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(attempts, "backoff", lambda *_: 0.01)
    monkeypatch.setattr(job_events, "backoff", lambda *_, **__: 0.01)
    (name,) = submit(gemini, "one")
    gemini.faults.add("batches.list", Fault.error(status, times=12))
    async with running(trigger()) as payloads:
        await until(lambda: payloads)
    assert [payload["job_name"] for payload in payloads] == [name]


async def test_a_connection_that_is_not_there_yet_is_waited_for(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(job_events, "backoff", lambda *_, **__: 0.05)
    submit(gemini, "one")
    async with running(trigger(conn_id="later")) as payloads:
        await until(lambda: "Jobs of later cannot be listed" in caplog.text)
        monkeypatch.setenv("AIRFLOW_CONN_LATER", json.dumps(gemini.connection("gemini")))
        await until(lambda: payloads)


async def test_the_event_loop_goes_on_while_it_loads_and_lists(gemini: Emulator) -> None:
    submit(gemini, *(f"job {number}" for number in range(150)))
    longest, last = 0.0, time.perf_counter()
    async with running(trigger()) as payloads:
        while len(payloads) < 150:
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    assert longest < 0.25


async def test_triggers_of_one_connection_share_one_walk_and_one_that_joins_later_misses_nothing(
    gemini: Emulator,
) -> None:
    submit(gemini, "a-1", "b-1")
    manager = SharedStreamManager(log=structlog.get_logger())
    events: list[tuple[str, str]] = []
    tasks = []

    def start(number: int, prefix: str) -> None:
        watching = trigger(display_name=f"{prefix}-*")
        assert isinstance(watching, BaseEventTrigger)
        stream = manager.subscribe(trigger_id=number, key=watching.shared_stream_key(), trigger=watching)

        async def run() -> None:
            async for event in watching.filter_shared_stream(stream):
                events.append((prefix, event.payload["display_name"]))  # noqa: PERF401 - as above

        tasks.append(asyncio.ensure_future(run()))

    start(1, "a")
    await until(lambda: events)
    start(2, "b")
    await until(lambda: len(events) == 2)
    gemini.clear_requests()
    await asyncio.to_thread(submit, gemini, "a-2", "b-2")
    await until(lambda: len(events) == 4)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await manager.stop_all()
    assert sorted(events) == [("a", "a-1"), ("a", "a-2"), ("b", "b-1"), ("b", "b-2")]
    assert Counter(request["method"] for request in gemini.requests).keys() == {
        "batches.create",
        "batches.list",
    }


class Store:
    """The state store of an asset, as far as a trigger uses it."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.broken = False

    async def aget(self, key: str, default: Any) -> Any:
        return self._whole(lambda: self.kept.get(key, default))

    async def aset(self, key: str, value: Any) -> None:
        self._whole(lambda: self.kept.update({key: json.loads(json.dumps(value))}))

    def _whole(self, do: Callable[[], Any]) -> Any:
        if self.broken:
            msg = "the API server is away"
            raise RuntimeError(msg)
        return do()


async def test_what_has_fired_does_not_fire_in_the_next_life_where_airflow_keeps_it(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fired, "SETTLED", 0.1)
    store = Store()
    (first,) = submit(gemini, "first")
    told = []
    for number in range(2):
        watching = trigger()
        watching.asset_state_store = store
        async with running(watching) as payloads:
            await until(lambda: payloads)
            told += [payload["display_name"] for payload in payloads]
            await until(lambda: first in json.dumps(store.kept))
            await some_rounds(gemini)
        if not number:
            submit(gemini, "second")
    assert told == ["first", "second"]
    other = trigger(display_name="f*")
    other.asset_state_store = store
    async with running(other) as payloads:
        await until(lambda: payloads)


async def test_a_store_that_does_not_answer_costs_a_warning_only(gemini: Emulator) -> None:
    submit(gemini, "one")
    watching = trigger()
    watching.asset_state_store = Store()
    watching.asset_state_store.broken = True
    async with running(watching) as payloads:
        await until(lambda: payloads)
        await some_rounds(gemini)
    assert len(payloads) == 1


async def test_a_store_that_hangs_costs_a_warning_only(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Hanging:
        async def aget(self, *_: object) -> None:
            await asyncio.Event().wait()

        aset = aget

    monkeypatch.setattr(state_store, "LONGEST", 0.1)
    submit(gemini, "one")
    watching = trigger()
    watching.asset_state_store = Hanging()
    async with running(watching) as payloads:
        await until(lambda: payloads)
        await some_rounds(gemini)
    assert len(payloads) == 1
    assert "no answer came" in caplog.text


def test_it_says_at_once_that_a_state_is_no_end() -> None:
    assert "PAUSED" not in ENDS
    with pytest.raises(ValueError, match="RUNNING: jobs do not end like this"):
        trigger(states=["SUCCEEDED", "RUNNING"])
    assert trigger(states="FAILED").states == ["FAILED"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"states": []}, "states is empty"),
        ({"labels": {"team": "red", "year": 2026}}, "value of year is no text"),
    ],
)
def test_it_says_at_once_that_it_would_never_fire(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        trigger(**settings)


@pytest.mark.parametrize(
    "setting",
    [{"poll_interval": bad} for bad in (0, -1, float("nan"), float("inf"))]
    + [{"window": bad} for bad in (-1, float("nan"), float("inf"))],
    ids=str,
)
def test_it_says_at_once_that_a_span_of_time_is_none(setting: dict[str, float]) -> None:
    ((name, seconds),) = setting.items()
    with pytest.raises(ValueError, match=f"{name} is {seconds}; give seconds"):
        GenAIBatchJobsTrigger(**setting)


def test_what_the_database_keeps_makes_the_same_trigger() -> None:
    watching = trigger(labels={"a": "b"}, states={"FAILED", "EXPIRED"})
    path, kwargs = watching.serialize()
    again = GenAIBatchJobsTrigger(**json.loads(json.dumps(kwargs)))
    assert again.serialize() == (path, kwargs)
    assert again.shared_stream_key() == watching.shared_stream_key()
    assert BaseEventTrigger.hash(path, kwargs) == BaseEventTrigger.hash(*again.serialize())
