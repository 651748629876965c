"""A real Airflow and lanes of emulated services, on which cells run side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.airflow_stack import AirflowStack
from tests.airflow_stack.postgres import PostgreSQL
from tests.airflow_stack.preload import preload
from tests.crash.client import PatientClient
from tests.crash.plan import BACKENDS, MODES, ROWS, SOURCES
from tests.crash.runs import Runs

ROOT = Path(__file__).parents[2]
DAGS = Path(__file__).with_name("dags")
_SPARE_WORKERS = 4
"""Beside one for each lane: a worker whose death has not been noticed yet delays nobody."""


@dataclass(frozen=True)
class Lane:
    """Services of its own for one run at a time: nobody else spends its faults and scripts."""

    name: str
    emulator: Emulator


@dataclass(frozen=True)
class World:
    """All that cells need."""

    airflow: AirflowStack
    client: PatientClient
    runs: Runs
    lanes: tuple[Lane, ...]
    folder: Path

    @property
    def marks(self) -> Path:
        """Where the tasks' processes note their steps and deaths."""
        return self.folder / "marks"

    @property
    def source(self) -> Path:
        """The requests."""
        return self.folder / "source.jsonl"


@contextmanager
def open_world(folder: Path, lanes: int) -> Iterator[World]:
    """Start everything.

    Args:
        folder: For all files.
        lanes: How many runs at a time.
    """
    home = folder / "home"
    for path in (folder / "marks", folder / "rows"):
        path.mkdir(parents=True)
    preload(home)
    with ExitStack() as stack:
        storage = stack.enter_context(CloudStorage())
        found = tuple(_lane(stack, storage, f"lane{number}") for number in range(lanes))
        database = stack.enter_context(PostgreSQL())
        airflow = stack.enter_context(AirflowStack(home, DAGS, _variables(found), database=database.url))
        client = PatientClient(airflow.url)
        stack.callback(client.close)
        for source, mode in product(SOURCES, MODES):
            client.wait_for_dag(f"crash_{source}_{mode}")
        runs = Runs(client)
        stack.callback(runs.stop)
        world = World(airflow, client, runs, found, folder)
        world.source.write_text("".join(f"{_request(row)}\n" for row in range(ROWS)))
        yield world


def _lane(stack: ExitStack, storage: CloudStorage, name: str) -> Lane:
    emulator = Emulator(storage=storage).start()
    stack.callback(emulator.stop)
    return Lane(name, emulator)


def _variables(lanes: tuple[Lane, ...]) -> dict[str, str]:
    variables = {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW__CORE__PARALLELISM": str(len(lanes) + _SPARE_WORKERS),
        # Two cores under load answer late; what is healthy must not be taken for dead.
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
        # Of sixteen tasks at a time; each beat is a call to the API server, which had no more to do with all others.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    }
    for lane in lanes:
        for backend in BACKENDS:
            name = f"AIRFLOW_CONN_{lane.name}_{backend}".upper()
            variables[name] = json.dumps(lane.emulator.connection(backend))
    return variables


def _request(row: int) -> str:
    contents = [{"role": "user", "parts": [{"text": f"Is text {row} good?"}]}]
    return json.dumps({"key": f"text-{row:02}", "request": {"contents": contents}})
