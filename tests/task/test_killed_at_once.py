"""A process is killed while it asks at once: little is paid twice, and each request has its row."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Capacity, Emulator
from airflow_provider_genai_batch.exceptions import JobCancelled
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.task.rounds.online import round as online
from tests.client.places import KEY, PROJECT, gemini_config, vertex_config
from tests.task.asks_at_once import CALLS, LINES
from tests.task.plain_task import PlainTask, attempt
from tests.waiting import wait_until

ROWS = 120
PROMPTS = [f"Say {number}" for number in range(ROWS)]
_LONGEST = 120.0


@pytest.mark.parametrize("backend", ["gemini", "vertex"])
def test_the_next_attempt_asks_the_rest_and_each_key_lands_once(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    emulator: Emulator = request.getfixturevalue(backend)
    emulator.capacity = Capacity(latency=0.02)
    given = settings(backend, emulator, tmp_path)
    killed_after = random.Random(20261128).randrange(ROWS // 3, ROWS // 2)
    with start(given, first=True) as first:
        wait_until(lambda: len(answered(emulator)) >= killed_after, "it has asked some", _LONGEST)
        first.kill()
    assert first.returncode == -signal.SIGKILL
    with start(given, first=False) as second:
        said, _ = second.communicate(timeout=_LONGEST)
    assert second.returncode == 0
    manifest = json.loads(said)
    assert (manifest["counts"]["ok"], manifest["counts"]["total"]) == (ROWS, ROWS)
    keys = Counter(row["key"] for row in rows(backend, emulator, given["results_uri"]))
    assert len(keys) == ROWS
    assert set(keys.values()) == {1}
    twice = Counter(answered(emulator)).values()
    assert sum(twice) - ROWS <= CALLS + LINES
    assert sum(twice) < ROWS + killed_after, "the second attempt has not asked all again"


def test_a_task_that_is_killed_writes_what_came_before_it_ends(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online, "MAX_CALLS", CALLS)
    emulator.capacity = Capacity(latency=0.05)
    how = {"tier": "standard", "results_uri": str(tmp_path / "rows.jsonl")}
    task = PlainTask()

    def kill() -> None:
        wait_until(lambda: len(answered(emulator)) >= ROWS // 4, "it has asked some", _LONGEST)
        task.killed = True

    with GenAIBatchClient(gemini_config(emulator)) as client, ThreadPoolExecutor(1) as killer:
        killer.submit(kill)
        with pytest.raises(JobCancelled, match="The next attempt uses the kept answers and sends"):
            attempt(task, client, PROMPTS, **how).run(Attempt())
    before = len(answered(emulator))
    assert ROWS // 4 <= before < ROWS
    with GenAIBatchClient(gemini_config(emulator)) as client:
        manifest = attempt(PlainTask(is_first_try=False), client, PROMPTS, **how).run(
            Attempt(look_first=True)
        )
    assert (manifest["counts"]["ok"], manifest["tiers"]) == (ROWS, {"standard": ROWS})
    assert len(answered(emulator)) - ROWS <= CALLS, "only calls under way were asked again"


def settings(backend: str, emulator: Emulator, folder: Path) -> dict[str, Any]:
    if backend == "gemini":
        config: dict[str, Any] = {"backend": backend, "host": emulator.url, "api_key": KEY}
        return {"config": config, "results_uri": str(folder / "rows.jsonl"), "prompts": PROMPTS}
    config = {
        "backend": backend,
        "host": emulator.url,
        "project": PROJECT,
        "location": "us-central1",
        "account": emulator.service_account_info(),
        "storage_endpoint": emulator.storage_url,
    }
    place = f"gs://emulator-staging/{uuid4().hex}/rows.jsonl"
    return {"config": config, "results_uri": place, "prompts": PROMPTS}


def start(given: dict[str, Any], *, first: bool) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.task.asks_at_once", json.dumps({**given, "first": first})]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def answered(emulator: Emulator) -> list[str]:
    """Give the prompts of calls that were answered, in order."""
    return [
        one["body"]["contents"][0]["parts"][0]["text"]
        for one in emulator.requests
        if one["path"].endswith(":generateContent") and one["status"] == 200
    ]


def rows(backend: str, emulator: Emulator, uri: str) -> list[dict[str, Any]]:
    if backend == "gemini":
        data = Path(uri).read_bytes()
    else:
        with GenAIBatchClient(vertex_config(emulator)) as client:
            data = b"".join(client.download(uri))
    return [json.loads(line) for line in data.splitlines()]
