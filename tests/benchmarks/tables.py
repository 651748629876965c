"""A table in BigQuery classified on Vertex AI: what of its rows passes the worker, in bytes, and what the worker holds.

``python -m tests.benchmarks.tables [ROWS]`` asks about a table on the stand-ins. The worker is a process of its own,
whose sockets are counted; it runs an attempt from the preflight to the typed table. The most memory that the stand-ins
held is measured as well, because a table must fit.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from collections import Counter
from typing import Any

from tests.benchmarks.meter import machine, measured

BODY = "The handle broke on the second day, and nobody answered my letters. " * 3
PLACE = "benchmark"


class Traffic:
    """Counts the bytes that pass the sockets of this process, from now on."""

    def __init__(self) -> None:
        self.bytes: Counter[str] = Counter()
        for name, way in (("recv", "in"), ("recv_into", "in"), ("send", "out"), ("sendall", "out")):
            self._count(name, way)

    def _count(self, name: str, way: str) -> None:
        plain = getattr(socket.socket, name)

        def counted(sock: socket.socket, data: Any, *more: Any) -> Any:
            done = plain(sock, data, *more)
            sized = len(data) if name == "sendall" else done if isinstance(done, int) else len(done)
            self.bytes[way] += sized
            return done

        setattr(socket.socket, name, counted)


def worker(rows: int) -> dict[str, Any]:
    """Run one attempt over the table, as the operator does."""
    from pydantic import BaseModel

    from airflow_provider_genai_batch.flows.submission.attempt import Attempt
    from airflow_provider_genai_batch.hooks.genai_batch import open_client
    from tests.task.plain_task import PlainTask, attempt

    class Topic(BaseModel):
        name: str
        weight: float

    class Label(BaseModel):
        good: bool
        about: Topic
        words: list[str]

    place = f"bq://{os.environ['BENCHMARK_PROJECT']}.{PLACE}"
    how = {"prompt": "What is this? {body}", "key": "id", "output_type": Label, "poll_interval": 1}
    counts: dict[str, int] = {}

    def ask(table: str) -> None:
        names = {"source": lambda: f"{place}.{table}", "results_uri": f"{place}.{table}_labels"}
        with open_client("genai_batch_vertex") as client:
            counts.update(attempt(PlainTask(), client, [], **how, **names).run(Attempt())["counts"])

    ask("few")  # what is imported for the first rows is no matter of the others
    traffic = Traffic()
    return {**measured(lambda: ask("texts"), rows), "bytes": dict(traffic.bytes), "counts": counts}


def main(rows: int) -> dict[str, Any]:
    """Measure and print."""
    from airflow_provider_genai_batch.emulator import Emulator, Lifecycle

    with Emulator(storage=True, bigquery=True, lifecycle=Lifecycle.at_once()) as emulator:
        big_query = emulator.bigquery
        big_query.create_dataset(PLACE)
        for table, number in (("few", 10), ("texts", rows)):
            _fill(big_query, table, number)
        variables = {
            **os.environ,
            "AIRFLOW_CONN_GENAI_BATCH_VERTEX": json.dumps(emulator.connection("vertex")),
            "BENCHMARK_PROJECT": big_query.project,
        }
        command = [sys.executable, "-m", "tests.benchmarks.tables", "worker", str(rows)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=variables)
        if done.returncode:
            raise RuntimeError(done.stdout[-3000:] + done.stderr[-6000:])
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        figures |= {"jobs": len(emulator.jobs) - 1, "table_bytes": rows * len(f"{rows}: {BODY}")}
    # The children have ended; the one that held the most is the stand-in for BigQuery.
    figures["stand_in_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    sent, got = figures["bytes"]["out"], figures["bytes"]["in"]
    print(  # noqa: T201 - it is a command
        f"{rows:,} rows of {figures['table_bytes'] / 1e6:.0f} MB in {figures['jobs']} jobs, "
        f"{figures['counts']['ok']:,} ok; through the worker went {sent:,} bytes out and {got:,} in; its memory grew "
        f"by {figures['growth_mb']:.1f} MB, and it took {figures['seconds']:.0f} s and "
        f"{figures['us_per_row'] * rows / 1e6:.1f} s of CPU; the stand-in for BigQuery "
        f"held at most {figures['stand_in_mb']:,.0f} MB; {machine()}"
    )
    return figures


def _fill(big_query: Any, table: str, rows: int) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    client = bigquery.Client(
        project=big_query.project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": big_query.url},
    )
    name = f"`{big_query.project}.{PLACE}.{table}`"
    client.query(
        f"CREATE OR REPLACE TABLE {name} AS SELECT n AS id, CONCAT(CAST(n AS STRING), ': ', '{BODY}') AS body "
        f"FROM UNNEST(GENERATE_ARRAY(1, {rows})) AS n"
    ).result()
    client.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker", number]:
            print(json.dumps(worker(int(number))))  # noqa: T201 - it is read
        case [number]:
            main(int(number))
        case _:
            main(500_000)
