"""Thousands of jobs with random ends on one event loop: none is lost, each is told as it ended."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle, VirtualClock
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.hooks import poller_pool as shared
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from tests.operators.scenes import MODEL, client

JOBS = int(os.environ.get("SOAK_JOBS", "1000"))
HOURS = 20
ENDS = (
    "SUCCEEDED",
    "SUCCEEDED",
    "SUCCEEDED",
    "PARTIALLY_SUCCEEDED",
    "FAILED",
    "EXPIRED",
    "CANCELLED",
    "PAUSED",
)


async def fire(name: str) -> dict[str, Any]:
    never = time.time() + 10**6
    async for event in GenAIBatchTrigger(
        "genai_batch_default", [name], WaitPlan(1.0, never, never).as_dict()
    ).run():
        payload: dict[str, Any] = event.payload
        return payload
    msg = "it did not fire"
    raise AssertionError(msg)


async def test_of_thousands_of_jobs_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, dice = VirtualClock(), random.Random(7)
    with Emulator(clock=clock) as service:
        monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(service.connection("gemini")))
        wanted = {}
        with client() as submitting:
            for _ in range(JOBS):
                end = dice.choice(ENDS)
                lifecycle = Lifecycle.timed(
                    pending=dice.uniform(0, 7200), running=dice.uniform(0, 3600 * HOURS / 2)
                )
                untidy = {"list_lag": dice.choice((0, 0, 0, 3)), "empty_page": dice.random() < 0.01}
                service.script(JobScript(lifecycle=lifecycle, end=end, **untidy))
                wanted[submitting.create(MODEL, ["a"]).name] = end
        waiting = {name: asyncio.ensure_future(fire(name)) for name in wanted}
        moved = set(dice.sample(sorted(wanted), JOBS // 10))
        for hour in range(2 * HOURS):
            await asyncio.sleep(0.2)  # real time for looks; the jobs' time is the clock's
            clock.advance(1800)
            if hour == HOURS // 2:  # some triggers move to another triggerer
                for name in moved:
                    waiting[name].cancel()
                await asyncio.wait([waiting[name] for name in moved])
                waiting |= {
                    name: asyncio.ensure_future(fire(name)) for name in moved if waiting[name].cancelled()
                }
        events = dict(zip(waiting, await asyncio.gather(*waiting.values()), strict=True))
        told = {name: (event["why"], event["states"][name]) for name, event in events.items()}
        assert told == {name: ("ended", f"BATCH_STATE_{end}") for name, end in wanted.items()}
        assert not any(job["cancel_requested"] for job in service.jobs)
    assert not shared.lent()
