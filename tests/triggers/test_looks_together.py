"""Many triggers' looks, answered together: the same verdicts as one by one, whatever the list says."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path
from types import GeneratorType
from typing import Any

import pytest

from airflow_provider_genai_batch.client.aio import AsyncGenAIBatchClient
from airflow_provider_genai_batch.client.polling import poller
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.emulator import STAGING_BUCKET as BUCKET
from airflow_provider_genai_batch.flows.progress import Progress
from airflow_provider_genai_batch.models.jobs.job_status import JobStatus
from tests.operators.scenes import MODEL, client, lines
from tests.triggers.watching import ended, fire, fire_all, submit, trigger
from tests.waiting import until

ENDS = ("SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED")


def asked(emulator: Emulator) -> Counter[str]:
    return Counter(request["method"] for request in emulator.requests)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"list_lag": 3}, id="the list lags"),
        pytest.param({"empty_page": True}, id="empty pages carry a token"),
        pytest.param({"stale_counters": True}, id="counters are stale"),
        pytest.param({"states": ("PENDING", "SOMETHING_NEW", "RUNNING")}, id="a state nobody knows"),
    ],
)
@pytest.mark.usefixtures("looks")
async def test_an_untidy_list_changes_no_verdict(gemini: Emulator, script: dict[str, Any]) -> None:
    scripts = [JobScript(**script, end=ENDS[n % 4]) for n in range(12)]
    names = submit(gemini, scripts)
    assert await fire_all(names) == ended(names, scripts)


@pytest.mark.usefixtures("looks")
async def test_each_job_of_one_trigger_is_judged_by_itself(vertex: Emulator) -> None:
    ends = ("SUCCEEDED", "FAILED", "CANCELLED")
    names = []
    with client() as service:
        uri = service.upload(BytesIO(lines()), f"gs://{BUCKET}/together/in.jsonl")
        for end in ends:
            vertex.script(JobScript(end=end))
            names.append(
                service.create(MODEL, uri, dest=f"gs://{BUCKET}/together/", display_name="together").name
            )
    payload = await fire(trigger(names))
    assert payload["why"] == "ended"
    assert payload["states"] == {name: f"JOB_STATE_{end}" for name, end in zip(names, ends, strict=True)}


async def test_an_end_that_the_list_shows_is_confirmed_by_name(gemini: Emulator) -> None:
    names = submit(gemini, [JobScript() for _ in range(30)])
    gemini.clear_requests()
    await fire_all(names)
    got = [r["path"] for r in gemini.requests if r["method"] == "batches.get"]
    assert asked(gemini)["batches.list"]
    assert all(any(name in path for path in got) for name in names)


async def test_looks_at_many_jobs_that_go_on_are_a_few_pages(gemini: Emulator) -> None:
    names = submit(gemini, [JobScript(lifecycle=Lifecycle.stuck("RUNNING")) for _ in range(150)])
    gemini.clear_requests()
    await fire_all(names, seconds=0.6, cancel_on_timeout=False)
    looked = 150 * 4  # at least so often each
    calls = (
        asked(gemini)["batches.list"] + asked(gemini)["batches.get"]
    )  # by name where few are due at a time
    assert calls * 20 < looked


async def test_a_look_leaves_nothing_to_the_garbage_collector(gemini: Emulator) -> None:
    names = submit(gemini, [JobScript(lifecycle=Lifecycle.stuck("RUNNING")) for _ in range(30)])
    waiting = asyncio.gather(*(fire(trigger([name], cancel_on_timeout=False)) for name in names))
    try:
        await until(lambda: asked(gemini)["batches.list"] > 1)
        gc.collect()
        gc.disable()  # so that what is made from now on stays young for as long as it lives
        looked = asked(gemini)["batches.list"]
        await until(lambda: asked(gemini)["batches.list"] > looked + 2)

        def generators() -> int:
            return sum(type(thing) is GeneratorType for thing in gc.get_objects(generation=0))

        # Those of a look that is under way end with it; what only the collector can free stays.
        await until(lambda: generators() == 0)
    finally:
        gc.enable()
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_a_few_jobs_are_asked_for_by_name(gemini: Emulator) -> None:
    names = submit(gemini, [JobScript(), JobScript()])
    gemini.clear_requests()
    await fire_all(names)
    assert set(asked(gemini)) == {"batches.get"}


async def test_others_jobs_in_front_make_the_list_not_worth_its_while(gemini: Emulator) -> None:
    ours = submit(gemini, [JobScript(lifecycle=Lifecycle.stuck("RUNNING")) for _ in range(6)])
    submit(gemini, [JobScript() for _ in range(300)])
    gemini.clear_requests()
    # A busy machine makes few rounds a second, and the list is doubted more after each.
    await fire_all(ours, seconds=5, cancel_on_timeout=False)
    assert asked(gemini)["batches.list"] < 0.2 * asked(gemini)["batches.get"]


async def test_a_list_that_may_not_be_read_is_done_without(gemini: Emulator) -> None:
    gemini.faults.add("batches.list", Fault.error(403, "no list for you", grpc="PERMISSION_DENIED"))
    scripts = [JobScript() for _ in range(12)]
    names = submit(gemini, scripts)
    assert await fire_all(names) == ended(names, scripts)


async def test_a_list_that_is_out_of_order_is_done_without(gemini: Emulator) -> None:
    gemini.faults.add("batches.list", Fault.error(500, times=2))
    scripts = [JobScript() for _ in range(12)]
    names = submit(gemini, scripts)
    assert await fire_all(names) == ended(names, scripts)


@pytest.mark.usefixtures("looks")
async def test_a_job_that_is_deleted_meanwhile_is_lost_and_the_others_are_not(gemini: Emulator) -> None:
    scripts = [JobScript(lifecycle=Lifecycle.stuck("RUNNING")), *(JobScript() for _ in range(9))]
    gone, *names = submit(gemini, scripts)
    with client() as service:
        service.delete(gone)
    verdicts = await fire_all([gone, *names])
    assert verdicts.pop(gone) == ("lost", "")
    assert verdicts == ended(names, scripts[1:])


@pytest.mark.usefixtures("looks")
async def test_a_storm_of_refusals_slows_all_looks_and_changes_no_verdict(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "backoff", lambda *_: 0.3)
    for method in ("batches.list", "batches.get"):
        gemini.faults.add(method, Fault.error(429, "slow down", retry_after=0))
    scripts = [JobScript(end=ENDS[n % 4]) for n in range(40)]
    names = submit(gemini, scripts)
    gemini.clear_requests()
    waiting = asyncio.gather(fire_all(names[:20]), fire_all(names[20:]))
    try:
        first, second = await waiting
    finally:
        gemini.faults.clear()
    assert {**first, **second} == ended(names, scripts)
    refused = [r for r in gemini.requests if r["status"] == 429]
    assert 1 <= len(refused) <= poller.MAX_PARALLEL_LOOKS + 1, "one refusal must do for all"


async def test_while_the_service_wants_to_be_left_alone_deadlines_still_pass(gemini: Emulator) -> None:
    gemini.faults.add("batches.get", Fault.error(429, "later", retry_after=3600))
    (name,) = submit(gemini, [JobScript(lifecycle=Lifecycle.stuck("RUNNING"))])
    began = time.monotonic()
    payload = await fire(trigger([name], seconds=0.5, cancel_on_timeout=False))
    assert payload["why"] == "timed_out"
    assert time.monotonic() - began < 30


@pytest.mark.usefixtures("looks")
async def test_a_restart_of_the_service_loses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, poller.__name__)
    monkeypatch.setattr(poller, "backoff", lambda *_: 0.05)
    first = Emulator(directory=tmp_path).start()
    try:
        port = int(first.url.rpartition(":")[2])
        monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(first.connection("gemini")))
        monkeypatch.setattr("airflow_provider_genai_batch.flows.watch.backoff", lambda *_: 0.05)
        scripts = [JobScript(lifecycle=Lifecycle(looks=6), end=ENDS[n % 4]) for n in range(30)]
        names = submit(first, scripts)
        waiting = asyncio.ensure_future(fire_all(names))
        await until(lambda: asked(first))
    finally:
        await asyncio.to_thread(first.stop)
    await until(lambda: "does not answer status requests" in caplog.text)
    second = await asyncio.to_thread(Emulator(directory=tmp_path, port=port).start)
    try:
        assert await waiting == ended(names, scripts)
    finally:
        await asyncio.to_thread(second.stop)


async def test_a_trigger_that_is_cancelled_is_not_looked_for_any_more(gemini: Emulator) -> None:
    names = submit(gemini, [JobScript(lifecycle=Lifecycle.stuck("RUNNING")) for _ in range(2)])
    first, second = (asyncio.ensure_future(fire(trigger([name]))) for name in names)
    await until(lambda: asked(gemini)["batches.get"] > 4)
    first.cancel()
    await asyncio.wait([first])
    gemini.clear_requests()
    await until(lambda: asked(gemini)["batches.get"] > 4)
    assert not any(names[0] in request["path"] for request in gemini.requests)
    second.cancel()
    await asyncio.wait([second])


async def test_a_fault_of_ours_reaches_everybody_who_waits(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = submit(gemini, [JobScript() for _ in range(3)])

    async def broken(*_: Any, **_settings: Any) -> None:
        msg = "a bug"
        raise LookupError(msg)

    monkeypatch.setattr(AsyncGenAIBatchClient, "perform", broken)
    ends = await asyncio.gather(*(fire(trigger([name])) for name in names), return_exceptions=True)
    assert [type(end) for end in ends] == [LookupError] * 3


def test_two_triggerers_and_one_that_starts_anew_each_look_for_themselves(gemini: Emulator) -> None:
    scripts = [JobScript(lifecycle=Lifecycle(looks=8), end=ENDS[n % 4]) for n in range(12)]
    names = submit(gemini, scripts)
    with ThreadPoolExecutor(2) as triggerers:
        both = list(triggerers.map(lambda _: asyncio.run(fire_all(names)), range(2)))
    assert both == [ended(names, scripts)] * 2
    assert asyncio.run(fire_all(names)) == ended(names, scripts)


async def test_two_triggers_may_watch_the_same_job(gemini: Emulator) -> None:
    (name,) = submit(gemini, [JobScript(lifecycle=Lifecycle(looks=4))])
    first, second = await asyncio.gather(fire(trigger([name])), fire(trigger([name, name])))
    assert first["states"] == second["states"] == {name: "BATCH_STATE_SUCCEEDED"}


async def test_what_a_look_finds_is_logged_in_the_context_of_its_own_trigger(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    logged: set[tuple[str, str]] = set()
    tell = Progress.tell

    def noted(self: Progress, job: JobStatus, now: float) -> None:
        logged.add((whose.get(), job.name))
        tell(self, job, now)

    async def fire_as(name: str) -> dict[str, Any]:
        whose.set(name)
        return await fire(trigger([name]))

    monkeypatch.setattr(Progress, "tell", noted)
    names = submit(gemini, [JobScript() for _ in range(12)])
    await asyncio.gather(*(asyncio.ensure_future(fire_as(name)) for name in names))
    assert logged == {(name, name) for name in names}
