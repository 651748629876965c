"""Run hours until their task has died at every step: ``python -m tests.hourly [--lives 5] [--backends gemini]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.airflow_stack import AirflowStack
from tests.airflow_stack.google import emulated_google
from tests.hourly.world import CONNECTIONS, DAGS, Hour, Hours

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Return 0 if nothing was paid twice, lost, or of another type."""
    parser = argparse.ArgumentParser(prog="python -m tests.hourly", description=__doc__)
    parser.add_argument("--lives", type=int, default=5, help="deaths of a run's task (default: %(default)s)")
    parser.add_argument("--backends", nargs="+", default=[*CONNECTIONS], choices=[*CONNECTIONS])
    parser.add_argument("--most", type=int, default=20, help="runs of a backend (default: %(default)s)")
    asked = parser.parse_args()
    began = time.monotonic()
    done: list[Hour] = []
    with tempfile.TemporaryDirectory(prefix="hourly-") as folder, opened(Path(folder)) as hours:
        for backend in asked.backends:
            for number in range(asked.most):
                hour = hours.run(f"{backend}{number:03}", backend, lives=asked.lives)
                done.append(hour)
                for line in (*hour.deaths, *hour.wrong):
                    sys.stdout.write(f"{hour.cell}: {line}\n")
                sys.stdout.flush()
                if not hour.deaths:
                    break
    deaths, bad = sum(len(hour.deaths) for hour in done), [hour for hour in done if hour.wrong]
    minutes = (time.monotonic() - began) / 60
    sys.stdout.write(f"{len(done)} runs, {deaths} deaths, {len(bad)} bad, {minutes:.1f} minutes\n")
    return 1 if bad else 0


@contextmanager
def opened(folder: Path) -> Iterator[Hours]:
    """Start everything."""
    with ExitStack() as stack:
        storage, big_query = stack.enter_context(CloudStorage()), stack.enter_context(BigQuery())
        emulator = stack.enter_context(Emulator(storage=storage, bigquery=big_query))
        connections = emulator.connection("gemini"), emulator.connection("vertex")
        places = {"storage": storage.url, "bigquery": big_query.url, "project": big_query.project}
        variables = {
            **emulated_google(*connections, **places),
            "PYTHONPATH": str(ROOT),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
        }
        airflow = stack.enter_context(AirflowStack(folder / "home", DAGS, variables))
        hours = Hours(airflow, emulator, big_query, folder / "marks")
        hours.begin()
        yield hours


if __name__ == "__main__":
    sys.exit(main())
