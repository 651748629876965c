"""Triggers that wait for jobs on the emulator, and what comes of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from tests.operators.scenes import MODEL, client


def submit(emulator: Emulator, scripts: list[JobScript]) -> list[str]:
    names = []
    with client() as service:
        for script in scripts:
            emulator.script(script)
            names.append(service.create(MODEL, ["a"]).name)
    return names


def trigger(names: list[str], seconds: float = 60, **plan: Any) -> GenAIBatchTrigger:
    end = time.time() + seconds
    return GenAIBatchTrigger("genai_batch_default", names, WaitPlan(0.05, end, end, **plan).as_dict())


async def fire(waiting: GenAIBatchTrigger) -> dict[str, Any]:
    async for event in waiting.run():
        assert isinstance(event, TriggerEvent)
        payload: dict[str, Any] = event.payload
        return payload
    msg = "it did not fire"
    raise AssertionError(msg)


async def fire_all(names: list[str], **more: Any) -> dict[str, tuple[str, str]]:
    """Wait for each job with a trigger of its own; return why and state by job."""
    events = await asyncio.gather(*(fire(trigger([name], **more)) for name in names))
    return {
        name: (event["why"], event["states"].get(name, "")) for name, event in zip(names, events, strict=True)
    }


def ended(names: list[str], scripts: list[JobScript]) -> dict[str, tuple[str, str]]:
    return {name: ("ended", f"BATCH_STATE_{script.end}") for name, script in zip(names, scripts, strict=True)}
