"""A retry decides what is paid by what it looks at: its looks are tried again, and without one it says so."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import PermissionDenied
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.testing import SharedClock
from tests.dags import Ran, run_dag
from tests.operators.doors import die_after_submit
from tests.operators.scenes import MODEL


def ask(**settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask", model=MODEL, src=["a", "b"], **{"retries": 1, "retry_delay": 0, **settings}
        )
    )


@pytest.mark.parametrize("fault", [Fault.drop(times=3), Fault.unreadable(times=3), Fault.error(503, times=3)])
def test_trouble_that_passes_does_not_end_it(
    gemini: Emulator, virtual_clock: SharedClock, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.timed(running=60)))
    die_after_submit(monkeypatch, lambda: gemini.faults.add("batches.get", fault))
    ran = ask()
    assert (ran.state, ran.tries["ask"]) == ("success", 2), ran.errors
    assert len(gemini.jobs) == 1


def test_one_that_may_not_look_says_what_became_of_the_job_and_what_comes_next(
    gemini: Emulator, virtual_clock: SharedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        for method in ("batches.get", "batches.list"):
            gemini.faults.add(method, Fault.error(403, times=20))

    die_after_submit(monkeypatch, refuse)
    ran = ask()
    gemini.faults.clear()
    assert isinstance(ran.errors[-1], PermissionDenied)
    assert "created no job" in str(ran.errors[-1])
    assert "is billed as it goes. The next attempt looks" in str(ran.errors[-1])
    assert len(gemini.jobs) == 1


def test_a_create_that_is_refused_says_that_nothing_is_billed(gemini: Emulator) -> None:
    gemini.faults.add("batches.create", Fault.error(403))
    ran = ask(retries=0)
    assert str(ran.errors[-1]).endswith(
        "No job was created, and nothing is billed. The next attempt tries again."
    )
