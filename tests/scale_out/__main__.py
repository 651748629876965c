"""Run it: python -m tests.scale_out [PAGE]."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from tests.airflow_stack import AirflowStack, PostgreSQL
from tests.airflow_stack.google import emulated_google
from tests.benchmarks.page import put
from tests.scale_out.report import HEADING, SETTINGS, section
from tests.scale_out.runs import PLANS, World
from tests.scale_out.services import missing, peak, redis
from tests.scale_out.story import happen
from tests.waiting import wait_until

_DAGS = (Path(__file__).parents[2] / "example_dags", Path(__file__).with_name("dags"))
_WORKERS = 2


def main() -> int:
    """Return 0 if all is as planned, 1 if not, and 2 if something is not installed."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale_out", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, help="the page whose section to write")
    asked = parser.parse_args()
    if what := missing():
        sys.stderr.write(f"{what}\n")
        return 2
    began = time.monotonic()
    events = []
    with peak() as most, tempfile.TemporaryDirectory(prefix="scale-out-") as folder:
        with opened(Path(folder)) as world:
            healthy = time.monotonic() - began
            for event in happen(world):
                events.append(event)
                sys.stdout.write(f"{': '.join(event)}\n")
                sys.stdout.flush()
            results = [world.result(dag_id) for dag_id in PLANS]
        minutes = (time.monotonic() - began) / 60
    text = section(results, events, {"healthy": healthy, "minutes": minutes, **most})
    wrong = [f"{one} is not as planned: {PLANS[one.dag_id]}\n" for one in results if not one.good]
    sys.stdout.writelines([text, *wrong])
    if asked.page is not None and not wrong:
        put(HEADING, text, asked.page)
    return 1 if wrong else 0


@contextmanager
def opened(folder: Path) -> Iterator[World]:
    """Start everything. No job ends by itself."""
    dags, results = folder / "dags", folder / "results"
    for source in _DAGS:
        shutil.copytree(source, dags, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    with ExitStack() as stack:
        database, broker = stack.enter_context(PostgreSQL()), stack.enter_context(redis())
        emulator = Emulator(storage=True, bigquery=True, lifecycle=Lifecycle.stuck("RUNNING"))
        stack.enter_context(emulator)
        emulator.bigquery.create_dataset("reviews")
        texts = [{"id": str(number), "text": "Good."} for number in range(PLANS["nightly_bigquery"].rows)]
        emulator.bigquery.create_and_insert("reviews.texts", [("id", "STRING"), ("text", "STRING")], texts)
        google = emulated_google(
            emulator.connection("gemini"),
            emulator.connection("vertex"),
            storage=emulator.storage_url,
            bigquery=emulator.bigquery_url,
            project=emulator.bigquery.project,
        )
        settings = {
            # What is killed cleans nothing up.
            "TMPDIR": str(folder),
            "AIRFLOW_VAR_GENAI_BATCH_RESULTS": str(results),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            # The examples name no retries; a task that dies with its worker needs one.
            "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "2",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            **{name: here for name, (here, _) in SETTINGS.items()},
        }
        airflow = AirflowStack(
            folder / "home", dags, google | settings, triggerers=2, database=database.url, workers=_WORKERS
        )
        stack.enter_context(airflow)
        try:
            for number in range(_WORKERS):
                log = airflow.home / f"worker{number}.log"
                wait_until(lambda log=log: "ready." in log.read_text(), f"{log.stem} is ready", 60)
            yield World(airflow, emulator, results)
        except BaseException:
            sys.stderr.write(airflow.logs())
            raise


if __name__ == "__main__":
    sys.exit(main())
