"""Trouble with some looks is not trouble with all, and costs nothing that grows."""

from __future__ import annotations

import asyncio
import json
from http.server import BaseHTTPRequestHandler
from itertools import count
from traceback import extract_tb
from typing import Any

import pytest
from pydantic import ValidationError

from airflow_provider_genai_batch.client.aio import AsyncGenAIBatchClient
from airflow_provider_genai_batch.client.polling import poller
from airflow_provider_genai_batch.client.polling.watched_job import WatchedJob
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.hooks.poller_pool import shared_poller
from airflow_provider_genai_batch.models import BatchJob
from tests.client.raw import RawServer, answer
from tests.triggers.watching import ended, fire, fire_all, submit, trigger
from tests.waiting import until

ALWAYS = 10**6
PATIENCE = 20


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "backoff", lambda *_: 0.3)
    monkeypatch.setattr("airflow_provider_genai_batch.flows.watch.backoff", lambda *_: 0.05)


async def test_a_list_that_is_always_refused_for_too_many_calls_is_done_without(gemini: Emulator) -> None:
    scripts = [JobScript() for _ in range(12)]
    names = submit(gemini, scripts)
    gemini.faults.add("batches.list", Fault.error(429, "not so often", times=ALWAYS))
    try:
        assert await asyncio.wait_for(fire_all(names), PATIENCE) == ended(names, scripts)
    finally:
        gemini.faults.clear()


async def test_jobs_that_cannot_be_looked_at_for_now_do_not_keep_others_from_it(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "PAGE_COSTS", 10**9)
    names = submit(gemini, [JobScript() for _ in range(125)])
    away, others = names[:120], names[120:]
    for name in away:
        gemini.faults.add("batches.get", Fault.error(503, times=ALWAYS, path=name))
    waiting = {name: asyncio.ensure_future(fire(trigger([name], cancel_on_timeout=False))) for name in names}
    try:
        events = await asyncio.wait_for(asyncio.gather(*(waiting[name] for name in others)), PATIENCE)
        assert {event["why"] for event in events} == {"ended"}
        assert not any(waiting[name].done() for name in away)
    finally:
        gemini.faults.clear()
        for task in waiting.values():
            task.cancel()
        await asyncio.wait(waiting.values())


@pytest.mark.parametrize("entry", [None, "a job", []])
async def test_a_list_with_something_else_than_jobs_is_done_without(
    monkeypatch: pytest.MonkeyPatch, entry: Any
) -> None:
    looks = count()

    def serve(request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        state = "BATCH_STATE_SUCCEEDED" if next(looks) > 40 else "BATCH_STATE_RUNNING"
        job = {"name": path.removeprefix("/v1beta/"), "metadata": {"state": state}}
        body: Any = {"operations": [entry]} if path.endswith("/batches") else job
        answer(request, 200, json.dumps(body).encode())

    with RawServer(serve) as server:
        connection = {"conn_type": "genai_batch", "host": server.url, "password": "k"}
        monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(connection))
        names = [f"batches/j{n}" for n in range(12)]
        verdicts = await fire_all(names)
        assert any(path.partition("?")[0].endswith("/batches") for _, path, _ in server.seen)
    assert verdicts == dict.fromkeys(names, ("ended", "BATCH_STATE_SUCCEEDED"))


async def test_what_all_are_told_grows_with_none_of_them(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = submit(gemini, [JobScript() for _ in range(30)])

    async def broken(*_: Any, **_settings: Any) -> None:
        msg = "a bug"
        raise LookupError(msg)

    monkeypatch.setattr(AsyncGenAIBatchClient, "perform", broken)
    ends = await asyncio.gather(*(fire(trigger([name])) for name in names), return_exceptions=True)
    assert [(type(end), str(end)) for end in ends] == [(LookupError, "a bug")] * 30
    assert max(len(extract_tb(end.__traceback__)) for end in ends if isinstance(end, Exception)) < 12


async def test_a_fault_of_which_there_is_only_one_reaches_everybody(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = submit(gemini, [JobScript() for _ in range(3)])

    async def broken(*_: Any, **_settings: Any) -> None:
        BatchJob.model_validate({"name": 5})

    monkeypatch.setattr(AsyncGenAIBatchClient, "perform", broken)
    waiting = asyncio.gather(*(fire(trigger([name])) for name in names), return_exceptions=True)
    ends = await asyncio.wait_for(waiting, PATIENCE)
    assert [type(end) for end in ends] == [ValidationError] * 3


async def test_a_refusal_that_is_told_again_and_again_stays_as_it_was(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "backoff", lambda *_: 3600)
    gemini.faults.add("batches.get", Fault.error(429, "later"))
    names = submit(gemini, [JobScript(lifecycle=Lifecycle.stuck("RUNNING")) for _ in range(2)])
    told: list[Exception] = []
    fail = WatchedJob.fail

    def noted(self: WatchedJob, error: Exception) -> None:
        told.append(error)
        fail(self, error)

    monkeypatch.setattr(WatchedJob, "fail", noted)
    waiting = [asyncio.ensure_future(fire(trigger([name]))) for name in names]
    await until(lambda: len(told) > 40)
    async with shared_poller("genai_batch_default") as shared:
        trouble = shared.trouble
    assert trouble is not None
    assert len(extract_tb(trouble.__traceback__)) < 12
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_an_event_does_not_pass_on_a_key_that_the_service_sent_back(gemini: Emulator) -> None:
    key = gemini.connection("gemini")["password"]
    names = submit(gemini, [JobScript(lifecycle=Lifecycle.stuck())])
    gemini.faults.add("batches.get", Fault.error(401, f"API key {key} not valid", times=ALWAYS))
    try:
        event = await asyncio.wait_for(fire(trigger(names)), PATIENCE)
    finally:
        gemini.faults.clear()
    assert event["why"] == "lost"
    assert "API key *** not valid" in json.dumps(event)
    assert key not in json.dumps(event)
