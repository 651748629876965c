"""Rows that are asked at once: the same lines as of a batch job, whatever the service refuses on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig
from airflow_provider_genai_batch.client.online import OnlineCounts, OnlineRows, OnlineSettings
from airflow_provider_genai_batch.emulator import Capacity, Emulator, Fault, RowError, VirtualClock
from airflow_provider_genai_batch.exceptions import OnlineStopped, UnsupportedError
from airflow_provider_genai_batch.flows.online.patience import RowPatience
from airflow_provider_genai_batch.flows.online.refusal import Meaning
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.requests.write import request_lines
from airflow_provider_genai_batch.results.read import RowReader
from airflow_provider_genai_batch.testing.clock import SharedClock
from tests.client.places import gemini_config, vertex_config

FLEX = OnlineSettings(tier=Tier.FLEX)
GENERATE = "models.generateContent"


def refuse_some(request: Any) -> None:
    """Refuse a prompt that says so; leave others to the pretend model."""
    if "bad" in str(request):
        raise RowError(3, "No such thing.")


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    """Stand the clock still at a full minute; waiting moves it."""
    clock = VirtualClock(datetime(2026, 11, 28, 17, 0, tzinfo=timezone.utc))
    return {"clock": clock, "answer": refuse_some}


def lines_of(
    items: Iterable[Any], backend: Backend = Backend.GEMINI, model: str = "gemini-2.5-flash"
) -> Iterator[bytes]:
    task = Task.EMBED if "embedding" in model else Task.GENERATE
    return (line for _, line in request_lines(items, backend, task, model))


async def asked(
    config: ClientConfig,
    items: Iterable[Any],
    settings: OnlineSettings | None = None,
    model: str = "gemini-2.5-flash",
) -> tuple[list[Any], OnlineCounts]:
    """Ask and read the lines as those of a batch job are read."""
    reader, rows = RowReader(config.backend), list[Any]()
    async with AsyncGenAIBatchClient(config, max_connections=128) as client:
        online = OnlineRows(client, model, settings or OnlineSettings())
        async for line in online.ask(lines_of(items, config.backend, model)):
            rows += reader.feed(line)
    return rows + reader.end(), online.counts


def statuses(rows: Iterable[Any]) -> dict[str, str]:
    return {row["key"]: row["status"] for row in rows}


async def test_each_request_has_one_row_with_its_key_and_a_refused_one_its_error(
    emulator: Emulator, virtual_clock: SharedClock
):
    items = [{"key": f"k{at}", "contents": "bad" if at == 3 else f"say {at}"} for at in range(50)]
    rows, counts = await asked(gemini_config(emulator), items)
    assert len(rows) == 50
    assert statuses(rows) == {f"k{at}": "error" if at == 3 else "ok" for at in range(50)}
    found = {row["key"]: row for row in rows}
    assert found["k7"]["text"] == "Answer to: say 7"
    assert found["k7"]["usage"]["input"] > 0
    assert found["k3"]["error"] == {"code": 400, "status": "INVALID_ARGUMENT", "message": "No such thing."}
    assert (counts.calls, counts.answered, counts.given_up) == (50, 49, 1)
    assert counts.tiers == {Tier.STANDARD: 49}


async def test_vertex_takes_the_tier_by_header_and_gives_back_what_stands_beside_a_request(
    emulator: Emulator,
):
    items = [
        {"key": "123", "request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, "city": "Rome"}
    ]
    config = vertex_config(emulator, location="global")
    (row,), counts = await asked(config, items, FLEX, "publishers/google/models/gemini-3.5-flash")
    assert (row["key"], row["status"], row["text"], row["input"]) == (
        "123",
        "ok",
        "Answer to: hi",
        {"city": "Rome"},
    )
    assert counts.tiers == {Tier.FLEX: 1}


async def test_a_tier_in_a_line_gives_way_to_the_one_that_is_asked_for(
    emulator: Emulator, virtual_clock: SharedClock
):
    line = b'{"key":"a","request":{"contents":[{"parts":[{"text":"hi"}]}],"service_tier":"priority"}}\n'
    async with AsyncGenAIBatchClient(gemini_config(emulator)) as client:
        online = OnlineRows(client, "gemini-2.5-flash", FLEX)
        assert len([line async for line in online.ask([line])]) == 1
    assert online.counts.tiers == {Tier.FLEX: 1}


async def test_embeddings_go_a_hundred_a_call_and_a_bad_one_is_found(
    emulator: Emulator, virtual_clock: SharedClock
):
    items = [{"key": f"k{at}", "content": "bad" if at == 5 else f"text {at}"} for at in range(120)]
    rows, counts = await asked(gemini_config(emulator), items, model="gemini-embedding-001")
    assert statuses(rows) == {f"k{at}": "error" if at == 5 else "ok" for at in range(120)}
    assert len({tuple(row["output"]) for row in rows if row["status"] == "ok"}) == 119
    assert counts.calls == 2 + 100


async def test_a_minute_of_tokens_is_waited_for_by_all_and_no_row_fails(
    emulator: Emulator, virtual_clock: SharedClock
):
    emulator.capacity = Capacity(minute_tokens=100)
    rows, counts = await asked(gemini_config(emulator), [f"{'x' * 36} {at}" for at in range(40)])
    assert [row["status"] for row in rows] == ["ok"] * 40
    assert virtual_clock.monotonic() >= 180, "40 rows of 10 tokens take four minutes, the first one at once"
    assert 0 < counts.refused[Meaning.MINUTE] <= 40


async def test_flex_that_sheds_for_a_while_is_asked_again(emulator: Emulator, virtual_clock: SharedClock):
    emulator.capacity = Capacity(spells={"flex": (200, 10)})
    await asked(gemini_config(emulator), ["the spell begins"], FLEX)
    virtual_clock.advance(205)
    rows, counts = await asked(gemini_config(emulator), [f"say {at}" for at in range(30)], FLEX)
    assert [row["status"] for row in rows] == ["ok"] * 30
    assert counts.refused[Meaning.BUSY] >= 1
    assert counts.tiers == {Tier.FLEX: 30}


async def test_a_row_that_meets_no_capacity_for_long_is_an_error(
    emulator: Emulator, virtual_clock: SharedClock
):
    emulator.capacity = Capacity(slots=0)
    rows, counts = await asked(
        gemini_config(emulator), ["a", "b"], OnlineSettings(patience=RowPatience(tries=3))
    )
    assert [(row["status"], row["error"]["status"]) for row in rows] == [("error", "UNAVAILABLE")] * 2
    assert (counts.calls, counts.given_up) == (6, 2)


async def test_a_spending_cap_is_for_good_and_what_was_answered_is_handed_out(
    emulator: Emulator, virtual_clock: SharedClock
):
    emulator.capacity = Capacity(cap_tokens=60)
    pulled, got = 0, list[bytes]()

    def items() -> Iterator[str]:
        nonlocal pulled
        for at in range(10_000):
            pulled += 1
            yield f"say {at}"

    async with AsyncGenAIBatchClient(gemini_config(emulator)) as client:
        online = OnlineRows(client, "gemini-2.5-flash", OnlineSettings(max_calls=4))

        async def collect() -> None:
            async for line in online.ask(lines_of(items())):
                got.append(line)

        with pytest.raises(OnlineStopped, match="spending cap") as stopped:
            await collect()
    assert stopped.value.why == "cap"
    assert stopped.value.answered == len(got) == online.counts.answered > 0
    assert pulled < 100
    assert sum(one["method"] == GENERATE and one["status"] == 429 for one in emulator.requests) <= 4


@pytest.mark.parametrize(("fault", "why"), [(Fault.error(403), "fatal"), (Fault.error(404), "fatal")])
async def test_what_every_row_would_get_is_asked_once(
    emulator: Emulator, virtual_clock: SharedClock, fault: Fault, why: str
):
    emulator.faults.add(GENERATE, fault)
    with pytest.raises(OnlineStopped) as stopped:
        await asked(gemini_config(emulator), ["a"])
    assert (stopped.value.why, len(emulator.requests)) == (why, 1)


async def test_an_answer_that_is_lost_is_asked_for_once_more_and_counted(
    emulator: Emulator, virtual_clock: SharedClock
):
    emulator.faults.add(GENERATE, Fault.lost_reply())
    rows, counts = await asked(gemini_config(emulator), ["a"])
    assert [row["status"] for row in rows] == ["ok"]
    assert (counts.calls, counts.maybe_billed) == (2, 1)


async def test_no_more_is_held_than_may_be_asked_whatever_the_length_of_the_input(
    emulator: Emulator, virtual_clock: SharedClock
):
    pulled = answered = most_ahead = 0

    def items() -> Iterator[str]:
        nonlocal pulled
        for at in range(400):
            pulled += 1
            yield f"say {at}"

    async with AsyncGenAIBatchClient(gemini_config(emulator), max_connections=16) as client:
        online = OnlineRows(client, "gemini-2.5-flash", OnlineSettings(max_calls=16))
        async for _ in online.ask(lines_of(items())):
            answered += 1
            most_ahead = max(most_ahead, pulled - answered)
    assert (pulled, answered) == (400, 400)
    assert most_ahead <= 3 * 16
    assert online.counts.most_held <= 2 * 16


async def test_no_more_rows_are_asked_than_may_be_lost_with_the_process_until_lines_are_kept(
    emulator: Emulator, virtual_clock: SharedClock
):
    emulator.capacity = Capacity(slots=5)  # some are refused once or twice before
    taken = kept = most = 0
    async with AsyncGenAIBatchClient(gemini_config(emulator), max_connections=16) as client:
        online = OnlineRows(client, "gemini-2.5-flash", OnlineSettings(max_calls=16, max_unkept=6))
        items = ["bad" if at % 4 == 0 else f"say {at}" for at in range(40)]
        async for _ in online.ask(lines_of(items)):
            taken += 1
            paid = online.counts.answered + online.counts.given_up
            most = max(most, paid - kept)
            if taken - kept == 6:
                online.kept(5)
                kept += 5
    assert taken == 40
    assert most == 6


@pytest.mark.parametrize(
    ("config", "model", "tier"),
    [
        ({}, "gemini-2.0-flash", Tier.FLEX),
        ({}, "gemini-embedding-001", Tier.FLEX),
        ({}, "tunedModels/mine", Tier.STANDARD),
        ({"location": "us-central1"}, "publishers/google/models/gemini-3.5-flash", Tier.FLEX),
        ({"location": "global"}, "publishers/google/models/gemini-2.5-flash", Tier.FLEX),
        ({"location": "global"}, "publishers/google/models/gemini-embedding-001", Tier.STANDARD),
        ({"location": "us-east5"}, "publishers/anthropic/models/claude-sonnet-4-5", Tier.STANDARD),
    ],
)
async def test_a_tier_that_is_not_there_is_refused_before_anything_is_sent(
    emulator: Emulator, config: dict[str, str], model: str, tier: Tier
):
    made = vertex_config(emulator, **config) if config else gemini_config(emulator)
    async with AsyncGenAIBatchClient(made) as client:
        with pytest.raises(UnsupportedError, match=model.rpartition("/")[2] + "|location global"):
            OnlineRows(client, model, OnlineSettings(tier=tier))
    assert emulator.requests == []


async def test_a_call_that_hangs_is_given_up_in_time_and_asked_once_more(
    emulator: Emulator, virtual_clock: SharedClock
):
    ticket = emulator.faults.add(GENERATE, Fault.hold())
    asking = asyncio.create_task(asked(gemini_config(emulator), ["a"], OnlineSettings(timeout=100)))
    assert await asyncio.to_thread(ticket.wait_held)
    virtual_clock.advance(161)
    rows, counts = await asking
    ticket.release()
    assert [row["status"] for row in rows] == ["ok"]
    assert (counts.calls, counts.maybe_billed) == (2, 1)
