"""An Airflow that starts no run by itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.shared_airflow.groups import the_one

if TYPE_CHECKING:
    from airflow_provider_genai_batch.emulator import Emulator
    from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
    from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
    from tests.airflow_stack import AirflowStack, DagRun
    from tests.statsd_server import StatsDServer

_TESTS = Path(__file__).parents[1]
_DAGS = (
    _TESTS.parent / "example_dags",
    _TESTS / "adapters" / "dags",
    _TESTS / "airflow_stack" / "deferred_dags",
    _TESTS / "hourly" / "dags",
)


@dataclass(frozen=True)
class SharedAirflow:
    """A running Airflow with the examples and the DAGs of these files, none on a schedule, and what it talks to."""

    airflow: AirflowStack
    emulator: Emulator
    statsd: StatsDServer
    results: Path

    def explain(self, run: DagRun) -> str:
        """Return what the tasks of a run have logged."""
        return self.airflow.client.logs(run)


@pytest.fixture(scope="module")
def shared_airflow(
    tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage, big_query: BigQuery
) -> SharedAirflow:
    """Give the one without schedules."""
    return the_one("unscheduled", lambda: _started(tmp_path_factory, cloud_storage, big_query))


@contextmanager
def _started(
    tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage, big_query: BigQuery
) -> Iterator[SharedAirflow]:
    from airflow_provider_genai_batch.emulator import Emulator
    from tests.airflow_stack import AirflowStack
    from tests.airflow_stack.google import emulated_google
    from tests.airflow_stack.preload import preload
    from tests.airflow_stack.settings import RETRIES
    from tests.statsd_server import statsd_server

    folder = tmp_path_factory.mktemp("airflow")
    for dags in _DAGS:
        shutil.copytree(
            dags, folder / "dags", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
    with statsd_server() as statsd, Emulator(storage=cloud_storage, bigquery=big_query) as emulator:
        variables = {
            **emulated_google(
                emulator.connection("gemini"),
                emulator.connection("vertex"),
                storage=cloud_storage.url,
                bigquery=big_query.url,
                project=big_query.project,
            ),
            **statsd.settings,
            "AIRFLOW_VAR_GENAI_BATCH_RESULTS": str(folder / "results"),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(folder / "warehouse.db")}
            ),
            "PYTHONPATH": str(_TESTS.parent),
            "LLM_BATCH_RESULTS": str(folder / "llm-batch"),
            **RETRIES,
            # No task's process is killed here; on a busy machine one may be silent for a while.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
        }
        preload(folder / "home")
        with AirflowStack(folder / "home", folder / "dags", variables) as airflow:
            yield SharedAirflow(airflow, emulator, statsd, folder / "results")
