"""Has the operator ask a large job that does not go well and the rows that failed once more, and counts what landed.

``python -m tests.benchmarks.proof --rows 1000000`` prints figures and writes them into the page; with ``--own-keys``
the keys are a user's. One in a hundred rows fails, three keys come twice, five not at all, and rows come shuffled; of
those that are asked again one in ten fails for good.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.wire.keys import stamp
from tests.benchmarks.meter import machine
from tests.benchmarks.page import put
from tests.benchmarks.proof_section import HEADING, LARGE, large, section

TWICE, ABSENT = 3, 5
_ROOT = Path(__file__).resolve().parents[2]
Key = Callable[[int], str]


def own_key(index: int) -> str:
    """Return what a user might call a request."""
    return f"customer-{index:09d}/2026-01"


def prove(rows: int, folder: Path, *, own: bool, ordered: bool = False, number: int = 1) -> dict[str, Any]:
    """Run the task, and return what its manifest says beside what is there.

    Args:
        rows: of the input; a multiple of `number`.
        folder: for all files.
        own: whether keys are a user's.
        ordered: whether rows land in the order of the input.
        number: jobs that the first round is cut into.

    Returns:
        `manifest` and `warnings`: the task's; `jobs`: how many requests each had, by the service; `counted`: what is in
        the file, by status and otherwise; `cost`: figures of the task's process.
    """
    key, target = own_key if own else stamp, folder / "rows.jsonl"
    with emulator(folder) as address:
        middle = rows // 2
        script(address)  # of the two requests that come first
        size = rows // number
        for job in range(number):
            here = range(job * size, (job + 1) * size)
            script(
                address,
                failing_fraction=0.01,
                seed=job,
                duplicated=[key(middle + n) for n in range(TWICE) if middle + n in here],
                missing=[key(n * 97) for n in range(ABSENT) if n * 97 in here],
                shuffle=True,
            )
        script(address, failing_fraction=0.1, failing_error=3, shuffle=True)
        src = _requests(folder / "requests.jsonl", rows, key if own else None)
        settings = {"ordered": ordered, "max_failed_rows": 0.005, "max_requests_per_job": max(size, 2)}
        command = [sys.executable, "-m", "tests.benchmarks.proof_task"]
        done = subprocess.run(
            [*command, str(src), str(target), str(rows), json.dumps(settings)],
            env={**os.environ, **airflow_settings(folder, address)},
            cwd=_ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        with urllib.request.urlopen(f"{address}/_emulator/jobs") as answer:
            jobs = [int(job["rows"]["total"]) for job in json.load(answer)["jobs"]][1:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "jobs": jobs, "counted": _count(target, rows, key, ordered=ordered)}


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


def airflow_settings(folder: Path, address: str) -> dict[str, str]:
    """Return the settings of an Airflow of its own, with the connection."""
    home = folder / "airflow"
    (home / "dags").mkdir(parents=True)
    connection = {"conn_type": "genai_batch", "host": address, "password": "AIza-proof-key-0123456789"}
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(connection),
        "NO_PROXY": "127.0.0.1",
    }


def script(address: str, **fate: Any) -> None:
    """Decide the fate of the next job that has none yet."""
    posted = urllib.request.Request(f"{address}/_emulator/jobs", json.dumps(fate).encode(), method="POST")
    urllib.request.urlopen(posted).close()


def _requests(path: Path, rows: int, key: Key | None) -> Path:
    with path.open("w") as out:
        for index in range(rows):
            request = {"contents": [{"parts": [{"text": f"Is review {index} good?"}]}]}
            out.write(
                json.dumps({"request": request} if key is None else {"key": key(index), "request": request})
            )
            out.write("\n")
    return path


def _count(path: Path, rows: int, key: Key, *, ordered: bool) -> dict[str, int]:
    """Count a file by nothing but its lines; each key has to be there once."""
    status, tokens, again = Counter[str](), 0, 0
    keys = set()
    with path.open() as lines:
        for number, line in enumerate(lines):
            row = json.loads(line)
            status[row["status"]] += 1
            tokens += row["usage"]["total"] if row["usage"] else 0
            again += row.get("round", 0) == 1
            keys.add(row["key"])
            assert not ordered or row["key"] == key(number), "a row is not in its place"
    assert keys == {key(index) for index in range(rows)}, "a key is missing or strange"
    return {"total": sum(status.values()), "keys": len(keys), "tokens": tokens, "again": again, **status}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.proof", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--own-keys", action="store_true")
    parser.add_argument("--ordered", action="store_true")
    parser.add_argument("--jobs", type=int, default=1, help="of the first round; rows are a multiple of it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        said = prove(asked.rows, Path(folder), own=asked.own_keys, ordered=asked.ordered, number=asked.jobs)
    heading, text = (LARGE, large(said, machine())) if asked.jobs > 1 else (HEADING, section(said, machine()))
    put(heading, text)
    print(json.dumps(said))  # noqa: T201 - it is read


if __name__ == "__main__":
    main()
