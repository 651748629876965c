"""A real Airflow asks a person what a task may cost: approved and rejected by its API, timed out, cleared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from airflow_provider_genai_batch.emulator import JobScript, Lifecycle
from tests.airflow_stack import DagRun
from tests.shared_airflow.unscheduled import SharedAirflow

pytestmark = pytest.mark.stack

TASK = "ask"


@dataclass
class People:
    """Those who answer by the API, and what they see."""

    shared: SharedAirflow

    def asked(self, dag_id: str, run: DagRun | None = None) -> DagRun:
        """Start a run, or go on with one, until a person is asked."""
        run = run or self.shared.airflow.client.trigger(dag_id)
        self.shared.airflow.wait_for_question(run, TASK)
        return run

    def question(self, run: DagRun) -> dict[str, Any]:
        found: dict[str, Any] = self.shared.airflow.client.call("GET", self._path(run))
        return found

    def answer(self, run: DagRun, option: str) -> None:
        self.shared.airflow.client.call(
            "PATCH", self._path(run), json={"chosen_options": [option], "params_input": {}}
        )

    def said(self, run: DagRun) -> str:
        """Return all that the last attempt logged, with what it raised."""
        client = self.shared.airflow.client
        tries = client.task(run, TASK)["try_number"]
        path = f"{run.path}/taskInstances/{TASK}/logs/{tries}"
        return json.dumps(client.call("GET", path, params={"full_content": "true"}))

    def _path(self, run: DagRun) -> str:
        return f"{run.path}/taskInstances/{TASK}/-1/hitlDetails"


@pytest.fixture(scope="module")
def people(shared_airflow: SharedAirflow) -> People:
    return People(shared_airflow)


def test_a_task_waits_for_an_approval_and_then_asks_the_others_once(people: People) -> None:
    shared, client = people.shared, people.shared.airflow.client
    before = len(shared.emulator.jobs)
    run = people.asked("asks_first")
    question = people.question(run)
    yes, no = question["options"]
    assert yes.startswith("Approve up to 0.00")
    assert no == "Reject"
    assert question["subject"] == f"{yes} for 15 requests to gemini-2.5-flash?"
    assert "| Requests not submitted yet | **15** of 20 |" in question["body"]
    assert len(shared.emulator.jobs) == before
    shared.emulator.script(JobScript(lifecycle=Lifecycle.timed(pending=0, running=3600)))
    people.answer(run, yes)
    client.wait_for_task(run, TASK, "deferred")
    with pytest.raises(httpx.HTTPStatusError, match="409"):  # nothing is open beside a job that is waited for
        people.answer(run, no)
    shared.emulator.clock.advance(3600)
    assert client.wait_for(run) == "success", shared.explain(run)
    manifest = client.xcom(run, TASK)
    assert (manifest["counts"]["ok"], manifest["tiers"]) == (20, {"standard": 5, "batch": 15})
    assert yes == f"Approve up to {manifest['plan']['approved']['usd']:.5f}".rstrip("0") + " USD"
    assert manifest["plan"]["approved"]["by"]
    client.clear(run, TASK)
    assert client.wait_for(run) == "success", shared.explain(run)
    assert client.xcom(run, TASK)["plan"]["approved"] == manifest["plan"]["approved"]
    assert len(shared.emulator.jobs) == before + 1


def test_a_rejected_task_fails_at_once_and_is_asked_again_when_it_is_cleared(people: People) -> None:
    shared, client = people.shared, people.shared.airflow.client
    before = len(shared.emulator.jobs)
    run = people.asked("asks_first")
    tries = client.task(run, TASK)["try_number"]
    people.answer(run, "Reject")
    assert client.wait_for(run) == "failed"
    assert client.task(run, TASK)["try_number"] == tries
    assert "15 requests were not submitted. The pilot cost 0.0" in people.said(run)
    assert client.xcom(run, TASK, "manifest")["counts"]["ok"] == 5
    client.clear(run, TASK)
    people.asked("asks_first", run)
    client.clear(run, TASK)  # while the question is open, which is closed before it is asked anew
    people.asked("asks_first", run)
    yes, _ = people.question(run)["options"]
    # More requests under the first question's text, which Airflow before 3.4 goes on showing.
    client.call("POST", "/variables", json={"key": "prompts_asks_first", "value": "200"})
    try:
        people.answer(run, "Reject")
        assert client.wait_for(run) == "failed"
        client.clear(run, TASK)
        assert client.wait_for(run) == "failed"
        assert f"the first question of a task again, which was {yes!r}" in people.said(run)
    finally:
        client.call(
            "PATCH", "/variables/prompts_asks_first", json={"key": "prompts_asks_first", "value": "20"}
        )
    assert len(shared.emulator.jobs) == before


def test_nobody_answers_in_time_and_airflow_knows_who_may_answer(people: People) -> None:
    shared, client = people.shared, people.shared.airflow.client
    before = len(shared.emulator.jobs)
    runs = [client.trigger("asks_for_a_moment"), people.asked("asks_somebody")]
    assert client.wait_for(runs[0]) == "failed"
    assert "nobody answered in time" in people.said(runs[0])
    assert people.question(runs[1])["assigned_users"] == [{"id": "somebody", "name": "somebody"}]
    client.mark(runs[1], TASK, "failed")
    assert client.wait_for(runs[1]) == "failed"
    assert len(shared.emulator.jobs) == before
