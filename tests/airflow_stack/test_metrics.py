"""A task of a real Airflow tells a StatsD server of its jobs, from a process of its own and after a deferral."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_genai_batch.emulator import JobScript, Lifecycle
from tests.shared_airflow.unscheduled import SharedAirflow

pytestmark = pytest.mark.stack

TAGS = "backend=gemini,model=gemini-2.5-flash"


def test_a_deferred_task_tells_airflows_metrics_of_its_job_once(shared_airflow: SharedAirflow) -> None:
    statsd, client = shared_airflow.statsd, shared_airflow.airflow.client
    jobs, counters, times = len(shared_airflow.emulator.jobs), statsd.counters(TAGS), statsd.timers()
    shared_airflow.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=60)))
    run = client.trigger("inline_prompts")
    shared_airflow.airflow.wait_for_deferral(run, "answer")
    shared_airflow.emulator.clock.advance(60)
    assert client.wait_for(run) == "success", shared_airflow.explain(run)
    manifest = client.xcom(run, "answer")
    told = Counter(statsd.counters(TAGS)) - Counter(counters)
    assert (told["jobs.succeeded"], told["rows.ok"]) == (1, 3)
    assert told["tokens.total"] == manifest["usage"]["total"]
    added = Counter(
        {name: len(values) - len(times.get(name, ())) for name, values in statsd.timers().items()}
    )
    assert +added == {"job_duration": 1}  # other tests of this Airflow have told others
    assert len(shared_airflow.emulator.jobs) == jobs + 1
