"""The clock for tests: waiting takes no time, and product and emulator agree on how much has passed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle, VirtualClock
from airflow_provider_genai_batch.testing import SharedClock
from tests.client.places import gemini_config, vertex_config
from tests.dags import run_dag
from tests.operators.scenes import MODEL


def test_a_pause_in_a_thread_moves_the_service_on_at_once(
    emulator: Emulator, virtual_clock: SharedClock
) -> None:
    assert emulator.clock is virtual_clock.service
    before = emulator.clock.now_ns()
    clock.sleep(3600)
    assert emulator.clock.now_ns() - before == 3600 * 10**9
    assert clock.time() == pytest.approx(emulator.clock.now_ns() / 1e9, abs=0.01)


async def test_pauses_on_a_loop_end_in_order(virtual_clock: SharedClock) -> None:
    ended: list[tuple[float, float]] = []

    async def pause(seconds: float) -> None:
        begun = clock.monotonic()
        await clock.async_sleep(seconds)
        ended.append((seconds, round(clock.monotonic() - begun, 3)))

    await asyncio.gather(*(pause(seconds) for seconds in (300, 5, 7200, 60, 0)))
    assert ended == [(seconds, seconds) for seconds in (0, 5, 60, 300, 7200)]


async def test_no_time_passes_while_something_else_can_run(virtual_clock: SharedClock) -> None:
    async def work() -> float:
        begun = clock.monotonic()
        for _ in range(1000):
            await asyncio.sleep(0)
            if sleeper.done():
                break
        return clock.monotonic() - begun

    sleeper = asyncio.ensure_future(clock.async_sleep(60))
    with clock.held():
        assert await work() == 0
    await sleeper
    assert virtual_clock.monotonic() == 60


@pytest.mark.parametrize(
    ("method", "config"),
    [("batches.list", gemini_config), ("oauth.token", vertex_config)],
    ids=["of the service", "of the token endpoint"],
)
async def test_no_time_passes_while_an_answer_is_awaited(
    emulator: Emulator, virtual_clock: SharedClock, method: str, config: Callable[[Emulator], ClientConfig]
) -> None:
    ticket = emulator.faults.add(method, Fault.hold())
    async with AsyncGenAIBatchClient(config(emulator)) as client:
        sleeper = asyncio.ensure_future(clock.async_sleep(60))
        listed = asyncio.ensure_future(anext(client.list(), None))
        assert await asyncio.to_thread(ticket.wait_held, 300)
        for _ in range(500):
            await asyncio.sleep(0)
        assert virtual_clock.monotonic() == 0
        ticket.release()
        assert await listed is None
        await sleeper
    assert virtual_clock.monotonic() == 60


async def test_no_time_passes_while_a_thread_works_for_a_loop(virtual_clock: SharedClock) -> None:
    over = threading.Event()
    sleeper = asyncio.ensure_future(clock.async_sleep(60))
    work = asyncio.ensure_future(clock.in_thread(over.wait, 300))
    for _ in range(1000):
        await asyncio.sleep(0)
    assert virtual_clock.monotonic() == 0
    over.set()
    assert await work
    await sleeper
    assert virtual_clock.monotonic() == 60


async def test_a_wait_ends_with_its_event_or_with_its_time(virtual_clock: SharedClock) -> None:
    event = asyncio.Event()
    assert not await clock.wait(event, 60)
    assert virtual_clock.monotonic() == 60
    asyncio.get_running_loop().call_soon(event.set)
    assert await clock.wait(event, 60)
    assert virtual_clock.monotonic() == 60


async def test_whoever_advances_the_emulators_clock_wakes_those_who_wait(
    emulator: Emulator, virtual_clock: SharedClock
) -> None:
    with clock.held():
        sleeper = asyncio.ensure_future(clock.async_sleep(3600))
        await asyncio.sleep(0)
        thread = threading.Thread(target=emulator.clock.advance, args=(3600,))
        thread.start()
        await sleeper
        thread.join()
    assert virtual_clock.monotonic() == 3600


async def test_a_cancelled_pause_holds_up_nobody(virtual_clock: SharedClock) -> None:
    first = asyncio.ensure_future(clock.async_sleep(10**9))
    await asyncio.sleep(0)
    first.cancel()
    await clock.async_sleep(5)
    assert virtual_clock.monotonic() == 5


def test_a_jump_is_seen_by_the_time_of_day_only(virtual_clock: SharedClock) -> None:
    day, since = clock.time(), clock.monotonic()
    virtual_clock.ahead = 86400
    assert clock.time() - day == pytest.approx(86400, abs=0.001)  # of a number that has microseconds at most
    assert clock.now().timestamp() == pytest.approx(clock.time(), abs=0.001)
    assert clock.monotonic() == since


def test_afterwards_the_systems_clock_is_back() -> None:
    with clock.replaced(SharedClock(VirtualClock())):
        pass
    assert abs(clock.time() - time.time()) < 600


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
def test_a_job_of_a_day_is_waited_for_in_no_time(
    virtual_clock: SharedClock, gemini: Emulator, deferrable: bool
) -> None:
    from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

    gemini.script(JobScript(lifecycle=Lifecycle.timed(running=20 * 3600)))
    ran = run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=["a"], deferrable=deferrable, poll_interval=600
        )
    )
    assert ran.xcom["ask"]["counts"]["ok"] == 1
    assert virtual_clock.monotonic() >= 20 * 3600


async def test_a_pause_that_begins_while_an_answer_is_awaited_ends_as_well(
    virtual_clock: SharedClock,
) -> None:
    first = asyncio.create_task(clock.async_sleep(10))
    with clock.held():
        for _ in range(5):
            await asyncio.sleep(0)
        second = asyncio.create_task(clock.async_sleep(20))
        for _ in range(5):
            await asyncio.sleep(0)
    _, left = await asyncio.wait({first, second}, timeout=20)
    for one in left:
        one.cancel()
    assert not left
    assert virtual_clock.monotonic() >= 20


async def test_a_pause_shorter_than_the_clock_can_tell_passes_all_the_same(
    virtual_clock: SharedClock,
) -> None:
    until, turns = clock.monotonic() + 1.0 + 1e-10, 0
    while (left := until - clock.monotonic()) > 0:
        await clock.async_sleep(left)
        turns += 1
        assert turns < 100
