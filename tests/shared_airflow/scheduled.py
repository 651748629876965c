"""An Airflow that starts runs by itself, tells OpenLineage and sends spans."""

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
    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.emulator import Emulator, JobScript
    from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
    from tests.airflow_stack import AirflowStack
    from tests.span_server import SpanServer

_HERE = Path(__file__).parents[1] / "airflow_stack"
_DAGS = (_HERE / "lineage_dags", _HERE / "watched_dags")


@dataclass(frozen=True)
class ScheduledAirflow:
    """A running Airflow, and what it talks to."""

    airflow: AirflowStack
    emulator: Emulator
    watched: Emulator
    """Of the connection ``genai_batch_watched``."""
    early: str
    """A job there that goes on for ten minutes, from before Airflow was started."""
    folder: Path
    spans: SpanServer


@pytest.fixture(scope="module")
def scheduled_airflow(
    tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage
) -> ScheduledAirflow:
    """Give it."""
    return the_one("scheduled", lambda: _started(tmp_path_factory.mktemp("lineage"), cloud_storage))


def submit(watched: Emulator, name: str, script: JobScript) -> str:
    """Submit a job to the service that is watched, as somebody else does."""
    watched.script(script)
    with _client("WATCHED", watched, "gemini") as service:
        return service.create("gemini-2.5-flash", ["a prompt"], display_name=name).name


@contextmanager
def _client(name: str, emulator: Emulator, backend: str) -> Iterator[GenAIBatchClient]:
    from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"AIRFLOW_CONN_GENAI_BATCH_{name}", json.dumps(emulator.connection(backend)))
        with GenAIBatchHook(f"genai_batch_{name.lower()}").get_conn() as client:
            yield client


@contextmanager
def _started(folder: Path, cloud_storage: CloudStorage) -> Iterator[ScheduledAirflow]:
    from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
    from tests.airflow_stack import AirflowStack
    from tests.airflow_stack.settings import RETRIES
    from tests.operators.scenes import lines
    from tests.span_server import span_server

    for dags in _DAGS:
        shutil.copytree(
            dags, folder / "dags", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
    (folder / "in.jsonl").write_bytes(lines())
    with (
        span_server() as spans,
        Emulator(storage=cloud_storage, lifecycle=Lifecycle(looks=2)) as emulator,
        Emulator() as watched,
    ):
        settings = {
            **spans.settings,
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            "AIRFLOW_CONN_GENAI_BATCH_VERTEX": json.dumps(emulator.connection("vertex")),
            "AIRFLOW_CONN_GENAI_BATCH_WATCHED": json.dumps(watched.connection("gemini")),
            "AIRFLOW_VAR_FOLDER": str(folder),
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
            **RETRIES,
            # No task's process is killed here; on a busy machine one may be silent for a while.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(folder / "events.jsonl"), "append": True}
            ),
        }
        with _client("VERTEX", emulator, "vertex") as client:
            for number in (1, 2):
                part = folder / f"{number}.jsonl"
                part.write_bytes(lines().replace(b'"key": "', b'"key": "%d' % number))
                client.upload(part, f"gs://emulator-staging/lineage/{number}.jsonl")
        early = submit(watched, "red-1", JobScript(lifecycle=Lifecycle.timed(pending=0, running=600)))
        with AirflowStack(folder / "home", folder / "dags", settings) as airflow:
            yield ScheduledAirflow(airflow, emulator, watched, early, folder, spans)
