"""The package as Airflow finds it: its provider, its connection type, its decorator."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import run_dag
from tests.matrix.deferred import Waiting
from tests.operators.scenes import MODEL
from tests.pauses import at_pauses

_PROGRAM = """
import json
from airflow.providers_manager import ProvidersManager
known = ProvidersManager()
hook = known.hooks["genai_batch"]
print(json.dumps({
    "version": known.providers["airflow-provider-genai-batch"].version,
    "hook": hook.hook_class_name,
    "name": hook.hook_name,
    "decorators": [name for name, _ in known.taskflow_decorators.items()],
}))
"""


def test_airflow_finds_the_provider() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["version"] == importlib.metadata.version("airflow-provider-genai-batch")
    assert found["hook"] == "airflow_provider_genai_batch.hooks.genai_batch.GenAIBatchHook"
    assert found["name"] == "Google GenAI Batch"
    assert "genai_batch" in found["decorators"]
    assert "airflow_provider_genai_batch" not in done.stderr


@pytest.mark.parametrize("state", ["failed", "success", "running", "up_for_retry", None])
def test_a_task_that_is_killed_in_place_asks_airflow_whether_somebody_ended_it(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    """Nothing is in Airflow's stead here: the state is read from where a task reads it.

    A task whose heartbeats did not come is up for retry while its process still runs.
    """
    gemini.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    running: list[GenAIBatchOperator] = []
    execute = GenAIBatchOperator.execute

    def note(self: GenAIBatchOperator, context: Any) -> Any:
        running.append(self)
        return execute(self, context)

    def kill(seconds: float) -> None:
        Waiting(running[0].dag_id).set(state)
        running[0].on_kill()
        msg = "killed"
        raise KeyboardInterrupt(msg)

    monkeypatch.setattr(GenAIBatchOperator, "execute", note)
    with at_pauses(kill), contextlib.suppress(KeyboardInterrupt):
        run_dag(lambda: GenAIBatchOperator(task_id="ask", model=MODEL, src=["a"], deferrable=False))
    assert [job["cancel_requested"] for job in gemini.jobs] == [state not in ("running", "up_for_retry")]
