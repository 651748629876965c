"""One Airflow for the tests of several files: to start one more costs as much CPU time as a hundred other tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.bigquery import BigQuery
from airflow_provider_genai_batch.emulator.storage import CloudStorage
from tests.airflow_stack.client import DagRun
from tests.airflow_stack.google import emulated_google
from tests.airflow_stack.stack import AirflowStack
from tests.statsd_server import StatsDServer, statsd_server

_HERE = Path(__file__).parent
_DAGS = (_HERE.parents[1] / "example_dags", _HERE.parent / "adapters" / "dags", _HERE / "deferred_dags")
SHARING = frozenset(
    {
        "tests/adapters/test_real_airflow.py",
        "tests/airflow_stack/test_after_a_deferral.py",
        "tests/airflow_stack/test_families.py",
        "tests/airflow_stack/test_metrics.py",
        "tests/airflow_stack/test_real_airflow.py",
    }
)
"""The files whose tests use it; `tests.scheduling` sends them to one process."""


@dataclass(frozen=True)
class SharedAirflow:
    """A running Airflow with the examples and the DAGs of these files, none on a schedule, and what it talks to."""

    airflow: AirflowStack
    emulator: Emulator
    statsd: StatsDServer
    results: Path

    def explain(self, run: DagRun) -> str:
        """Return what the tasks of a run have logged."""
        client = self.airflow.client
        return "\n".join(client.log(run, task) for task in client.task_states(run))[-6000:]


_open = ExitStack()
_running: list[SharedAirflow] = []


@pytest.fixture(scope="module")
def shared_airflow(
    tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage, big_query: BigQuery
) -> SharedAirflow:
    """Start it at the first test that asks for it."""
    if not _running:
        _running.append(_open.enter_context(_started(tmp_path_factory, cloud_storage, big_query)))
    return _running[0]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop it after the last of these files: what waits for nothing takes a tenth of a core all the same."""
    if _running and (nextitem is None or nextitem.nodeid.partition("::")[0] not in SHARING):
        _running.clear()
        _open.close()


@contextmanager
def _started(
    tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage, big_query: BigQuery
) -> Iterator[SharedAirflow]:
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
            "LLM_BATCH_RESULTS": str(folder / "llm-batch"),
            # No task's process is killed here; on a busy machine one may be silent for a while.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
        }
        with AirflowStack(folder / "home", folder / "dags", variables) as airflow:
            yield SharedAirflow(airflow, emulator, statsd, folder / "results")
