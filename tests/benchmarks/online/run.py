"""Runs one side against an emulator, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.referee.environments import referee_python

_ROOT = Path(__file__).resolve().parents[3]
WARM_UP = 200
"""Rows that are asked before it counts."""
CALLS = 64
"""At a time."""
SIDES = {
    "ours": "this package",
    "sdk": "google-genai 3.6.1",
    "aiohttp": "google-genai 2.34.0 over aiohttp",
}
GROWING = ("ours", "sdk")
"""Those of which memory and turns are shown for few and many rows."""
Figures = dict[str, float]


class Service:
    """An emulator in another process."""

    def __init__(self, address: str) -> None:
        self.address = address

    def limit(self, minute_tokens: int | None) -> None:
        """Let a model take so many input tokens in a minute by the clock."""
        self._say("PATCH", "capacity", {"minute_tokens": minute_tokens})

    def forget(self) -> None:
        """Forget what was asked."""
        self._say("DELETE", "requests")

    def calls(self) -> tuple[int, int]:
        """Return how many calls there were, and how many of them were refused."""
        asked = [one for one in self._say("GET", "requests")["requests"] if one["verb"] == "POST"]
        return len(asked), sum(one["status"] != 200 for one in asked)

    def _say(self, verb: str, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.address}/_emulator/{what}", data, method=verb)) as answer:
            return json.load(answer)


@contextmanager
def serving() -> Iterator[Service]:
    """Give an emulator."""
    command = [sys.executable, "-m", "airflow_provider_genai_batch.emulator", "--port", "0"]
    command += ["--no-storage", "--no-bigquery"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as emulator:
        try:
            assert emulator.stdout is not None
            yield Service(emulator.stdout.readline().strip())
        finally:
            emulator.terminate()


def run(service: Service, folder: Path, who: str, rows: int, calls: int = CALLS) -> Figures:
    """Ask rows with one of `SIDES`; each has to have its line."""
    service.forget()
    target = folder / f"{who}.jsonl"
    command = [*_command(who), service.address, str(rows), str(calls), str(target)]
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        msg = f"{command} failed ({done.returncode}): {done.stderr[-2000:]}"
        raise RuntimeError(msg)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    with target.open() as file:
        keys = {line["key"] for line in map(json.loads, file) if "response" in line}
    assert len(keys) == rows - figures["failed"], (who, len(keys), figures)
    figures["calls"], figures["refused"] = service.calls()
    figures["warm_up"] = WARM_UP
    target.unlink()
    return figures


def _command(who: str) -> list[str]:
    if who == "ours":
        return [sys.executable, "-m", "tests.benchmarks.online.ours"]
    python = sys.executable if who == "aiohttp" else str(referee_python(3))
    return [python, str(Path(__file__).with_name("peer.py"))]
