"""Asks rows with this package; prints what it cost. A process of its own.

Arguments: address, rows, calls at a time, target.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig
from airflow_provider_genai_batch.client.garbage import settled
from airflow_provider_genai_batch.client.online import OnlineRows, OnlineSettings
from airflow_provider_genai_batch.models.base import Backend
from tests.benchmarks.data import answers
from tests.benchmarks.meter import measured
from tests.benchmarks.online.stall import watched

_MODEL = "gemini-2.5-flash"
_WARM_UP = 200


def main(address: str, rows: int, calls: int, target: str) -> dict[str, float]:
    """Ask a few rows, so that all code is there, and then all."""
    config = ClientConfig(Backend.GEMINI, api_key="benchmark", host=address)
    seen: dict[str, float] = {}

    async def ask(number: int) -> None:
        async with AsyncGenAIBatchClient(config, max_connections=calls) as client, watched() as stall:
            online = OnlineRows(client, _MODEL, OnlineSettings(max_calls=calls))
            async for line in online.ask(_lines(number)):
                file.write(line)
        seen.update(stall_ms=stall.seconds * 1e3, turn_ms=stall.cpu_seconds * 1e3)
        seen.update(failed=online.counts.given_up)

    with Path(target).open("wb") as file:
        asyncio.run(ask(_WARM_UP))
    with settled(), Path(target).open("wb") as file:
        figures = measured(lambda: asyncio.run(ask(rows)), rows)
    return {**figures, **seen}


def _lines(rows: int) -> Iterator[bytes]:
    for index, text in enumerate(answers("plain", rows)):
        request = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
        yield json.dumps({"key": f"r{index:08d}", "request": request}).encode() + b"\n"


if __name__ == "__main__":
    _, one, two, three, four = sys.argv
    print(json.dumps(main(one, int(two), int(three), four)))  # noqa: T201 - it is read
