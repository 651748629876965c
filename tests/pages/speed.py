"""Measure the pages over many tasks: ``python -m tests.pages.speed [tasks]``, 5,000 by default.

Tasks are copies of one that ran against the emulator; one in a hundred has not ended. The seconds are those of whole
requests to Airflow's own API server over SQLite, the second of two, best of five.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from tempfile import TemporaryDirectory

import httpx
import pytest

import tests.conftest  # noqa: F401 - sets Airflow up in this process
from tests.pages.copies import copy_task, forget_manifests
from tests.pages.server import airflow_server, token_of

PAGES = {
    "tasks, the first page": "?days=7",
    "tasks, the last page": "?days=7&page={last}",
    "tasks of a connection": "?days=7&conn_id=genai_batch_default",
    "tasks by cost": "?days=7&sort=cost",
    "sums": "sums?days=30",
}


def main(number: int) -> None:
    """Copy, ask, print a table."""
    from airflow_provider_genai_batch.emulator import Emulator
    from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
    from tests.dags import run_dag

    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(emulator.connection("gemini")))
        folder = stack.enter_context(TemporaryDirectory())
        ran = run_dag(
            lambda: GenAIBatchOperator(
                task_id="ask",
                model="gemini-2.5-flash",
                src=["Is it good?"] * 3,
                results_uri=f"{folder}/rows.jsonl",
                poll_interval=0.01,
                deferrable=False,
            )
        )
        copy_task(ran.dag_id, "ask", number - 1)
        forget_manifests(ran.dag_id, every=100)
        url = stack.enter_context(airflow_server())
        client = httpx.Client(base_url=url, cookies={"_token": token_of("ann", "viewer")}, timeout=300)
        stack.enter_context(client)
        print(f"| Page, of {number:,} tasks | Seconds | KiB |\n|---|---|---|")  # noqa: T201 - a command's answer
        for name, address in PAGES.items():
            took, size = _best(client, "/genai-batch/" + address.format(last=(number - 1) // 50))
            print(f"| {name} | {took:.2f} | {size // 1024} |")  # noqa: T201 - likewise


def _best(client: httpx.Client, address: str) -> tuple[float, int]:
    client.get(address).raise_for_status()
    times = []
    for _ in range(5):
        begun = time.monotonic()
        page = client.get(address).raise_for_status()
        times.append(time.monotonic() - begun)
    return min(times), len(page.content)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
