"""Thousands of triggers that begin at once: the event loop serves others meanwhile, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
from itertools import count

import pytest

from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig
from airflow_provider_genai_batch.client.polling.poller import JobPoller
from airflow_provider_genai_batch.hooks.poller_pool import lent, shared_poller
from airflow_provider_genai_batch.models.base import Backend

BORROWERS = 1000


async def test_those_who_waited_for_a_connection_go_on_some_in_each_turn_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_GENAI_BATCH_DEFAULT",
        '{"conn_type": "genai_batch", "password": "AIza-a-key-0123456789"}',
    )
    turns, turn, over = list[int](), 0, asyncio.Event()

    async def borrow() -> None:
        async with shared_poller("genai_batch_default"):
            turns.append(turn)
            await over.wait()

    borrowers = [asyncio.create_task(borrow()) for _ in range(BORROWERS)]
    borrowers[7].cancel()
    while len(turns) < BORROWERS - 1:
        await asyncio.sleep(0)
        turn += 1
    over.set()
    await asyncio.gather(*borrowers, return_exceptions=True)
    assert max(map(turns.count, turns)) <= BORROWERS // 10
    assert not lent()


async def test_what_many_triggers_hold_is_left_out_of_the_collectors_rounds_until_the_last_poller_ends() -> (
    None
):
    class Nobody:
        def on_answer(self, *_: object) -> None:
            raise AssertionError

    config = ClientConfig(Backend.GEMINI, api_key="AIza-a-key-0123456789")
    pollers = [JobPoller(AsyncGenAIBatchClient(config)) for _ in range(2)]
    names = (f"batches/{number}" for number in count())
    watchers = [[poller.watch(next(names), Nobody()) for _ in range(1500)] for poller in pollers]
    try:
        assert gc.get_freeze_count() > 3000
        for watched in watchers[0]:
            pollers[0].leave(watched)
        await pollers[0].close()
        assert gc.get_freeze_count() > 0
    finally:
        await pollers[1].close()
    assert gc.get_freeze_count() == 0
