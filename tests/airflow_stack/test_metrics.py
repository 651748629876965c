"""A task of a real Airflow tells a StatsD server of its jobs, from a process of its own and after a deferral."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from tests.airflow_stack import AirflowStack
from tests.statsd_server import statsd_server

pytestmark = pytest.mark.stack

EXAMPLES = Path(__file__).parents[2] / "example_dags"


def test_a_deferred_task_tells_airflows_metrics_of_its_job_once(tmp_path: Path) -> None:
    with statsd_server() as statsd, Emulator(lifecycle=Lifecycle(looks=2)) as emulator:
        settings = {
            **statsd.settings,
            "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(emulator.connection("gemini")),
            "AIRFLOW_VAR_GENAI_BATCH_RESULTS": str(tmp_path / "results"),
        }
        with AirflowStack(tmp_path / "home", EXAMPLES, settings) as airflow:
            run = airflow.client.trigger("inline_prompts")
            assert airflow.client.wait_for(run) == "success"
            manifest = airflow.client.xcom(run, "answer")
        told, times = statsd.counters("backend=gemini,model=gemini-2.5-flash"), statsd.timers()
        jobs = emulator.jobs
    assert (told["jobs.succeeded"], told["rows.ok"]) == (1, 3)
    assert told["tokens.total"] == manifest["usage"]["total"]
    assert {name: len(values) for name, values in times.items()} == {"job_duration": 1}
    assert len(jobs) == 1
