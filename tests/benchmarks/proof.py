"""Lands a large job of the emulator that did not go well, and counts what landed again, independently.

``python -m tests.benchmarks.proof --rows 1000000`` prints figures; with ``--own-keys`` the keys are a user's. One in a
hundred rows fails, three keys come twice, five not at all, and rows come shuffled.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.hooks.landing import Asked, Landing, land_jobs
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.rows.ledger import MASK, key_digest
from airflow_provider_genai_batch.rows.tally import Tally
from airflow_provider_genai_batch.wire.keys import stamp
from tests.benchmarks.meter import machine, measured

MODEL = "gemini-2.5-flash"
TWICE, ABSENT = 3, 5
Key = Callable[[int], str]


def own_key(index: int) -> str:
    """Return what a user might call a request."""
    return f"customer-{index:09d}/2026-01"


def prove(rows: int, folder: Path, *, own: bool, ordered: bool = False) -> dict[str, Any]:
    """Have the rows answered, land them in a process of its own, and return what both counts say.

    Returns:
        `told`: what the landing counted; `counted`: what is in the file, by status, and its `keys`; `cost`: figures.
    """
    key = own_key if own else stamp
    with emulator(folder) as address:
        name = _answered(address, folder, rows, key)
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.proof",
            "--land",
            name,
            address,
            str(folder / "rows.jsonl"),
        ]
        flags = [flag for flag, wanted in (("--own-keys", own), ("--ordered", ordered)) if wanted]
        done = subprocess.run(
            [*command, "--rows", str(rows), *flags], check=True, stdout=subprocess.PIPE, text=True
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "counted": _count(folder / "rows.jsonl", rows, key)}


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """Run an emulator in a process of its own and give its address."""
    command = [sys.executable, "-m", "airflow_provider_genai_batch.emulator", "--port", "0", "--at-once"]
    command += ["--no-storage", "--no-bigquery", "--directory", str(folder / "emulator")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield running.stdout.readline().strip()
        finally:
            running.terminate()


def _connect(address: str) -> GenAIBatchClient:
    return GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="AIza-proof-key-0123456789", host=address))


def _answered(address: str, folder: Path, rows: int, key: Key) -> str:
    """Ask, and return the name of the job when it has ended."""
    path = folder / "requests.jsonl"
    with path.open("w") as out:
        for index in range(rows):
            parts = [{"text": f"Is review {index} good?"}]
            out.write(json.dumps({"key": key(index), "request": {"contents": [{"parts": parts}]}}) + "\n")
    middle = rows // 2
    script = {
        "failing_fraction": 0.01,
        "duplicated": [key(middle + n) for n in range(TWICE)],
        "missing": [key(n * 97) for n in range(ABSENT)],
        "shuffle": True,
    }
    posted = urllib.request.Request(f"{address}/_emulator/jobs", json.dumps(script).encode(), method="POST")
    urllib.request.urlopen(posted).close()
    with _connect(address) as client:
        job = client.create(MODEL, client.upload(path))
        path.unlink()
        while not client.get(job.name).done:
            pass  # the look waits while the emulator answers
    return job.name


def _land(name: str, address: str, target: str, rows: int, *, own: bool, ordered: bool) -> dict[str, Any]:
    """Land with nothing else in memory."""
    key = own_key if own else stamp
    key_sum = sum(key_digest(key(index)) for index in range(rows)) & MASK
    asked = Asked(rows, keyed=True, stamped=not own, key_sum=key_sum)
    landing = Landing(target, asked=asked, keys=lambda: map(key, range(rows)), ordered=ordered)
    tallies: list[Tally] = []
    with _connect(address) as client:
        job = client.get(name)
        cost = measured(lambda: tallies.append(land_jobs(client, [job], landing)), rows)
    (tally,) = tallies
    again = sum(tally.unanswered(key(index), None if own else index) for index in range(rows))
    told = {
        **tally.counts.model_dump(),
        "duplicates": tally.duplicates,
        "unknown": tally.unknown,
        "again": again,
    }
    return {"told": told, "cost": cost}


def _count(path: Path, rows: int, key: Key) -> dict[str, int]:
    """Count a file by nothing but its lines; each key has to be there once."""
    status: Counter[str] = Counter()
    keys = set()
    with path.open() as lines:
        for line in lines:
            row = json.loads(line)
            status[row["status"]] += 1
            keys.add(row["key"])
    assert keys == {key(index) for index in range(rows)}, "a key is missing or strange"
    return {"total": sum(status.values()), "keys": len(keys), **status}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.proof", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--own-keys", action="store_true")
    parser.add_argument("--ordered", action="store_true")
    parser.add_argument("--land", nargs=3, help=argparse.SUPPRESS, metavar=("JOB", "ADDRESS", "TARGET"))
    asked = parser.parse_args()
    if asked.land:
        said: Any = _land(*asked.land, asked.rows, own=asked.own_keys, ordered=asked.ordered)
    else:
        with tempfile.TemporaryDirectory(prefix="proof-") as folder:
            said = prove(asked.rows, Path(folder), own=asked.own_keys, ordered=asked.ordered)
        said["machine"] = machine()
    print(json.dumps(said))  # noqa: T201 - it is read


if __name__ == "__main__":
    main()
