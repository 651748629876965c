"""Tasks whose jobs go on: their progress, and a person who cancels a job."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, Lifecycle, VirtualClock
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.pages.service.lists import LISTS
from tests.browser.browser import Browser
from tests.dags import migrate, run_dag
from tests.operators.scenes import MODEL
from tests.pages.test_pages import text
from tests.pages.waiting import WaitingTask, look_while_it_waits
from tests.waiting import wait_until


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    """Let jobs be half done once the clock was moved."""
    return {
        "clock": VirtualClock(datetime.now(timezone.utc)),
        "lifecycle": Lifecycle.timed(pending=0, running=1000),
    }


def test_a_person_sees_how_far_a_job_is_and_cancels_it(
    gemini: Emulator,
    emulator_settings: dict[str, Any],
    ann: httpx.Client,
    bob: httpx.Client,
    browser: Browser,
    op_token: str,
    tmp_path: Path,
) -> None:
    secret = gemini.connection("gemini")["password"]
    clock, rows = emulator_settings["clock"], str(tmp_path / "rows.jsonl")
    pages: list[httpx.Response] = []
    task = WaitingTask()

    def make() -> GenAIBatchOperator:
        return GenAIBatchOperator(
            task_id=task.task_id,
            model=MODEL,
            src=["Is it good?"] * 40,
            results_uri=rows,
            poll_interval=0.2,
            deferrable=True,
        )

    def look() -> None:
        job = gemini.jobs[0]["name"]
        clock.advance(500)

        LISTS.forget("genai_batch_default")
        pages.append(_page(ann, f"?dag_id={task.dag_id}&conn_id=genai_batch_default", "20 of 40 done"))
        row = text(pages[-1])
        assert "1 task; times" in row
        assert "20 of 40 done" in row
        assert "RUNNING" in row
        assert re.search(r"\$0\.\d+ (to|for) \$\d", row)
        assert "no task of this package" in text(
            ann.get(f"/genai-batch/?dag_id={task.dag_id}&conn_id=another")
        )

        address = f"/genai-batch/cancel?{task.address}&job={quote(job, safe='')}"
        pages.append(ann.get(f"/genai-batch/task?{task.address}"))
        assert job in text(pages[-1])
        assert "Cancel" not in pages[-1].text
        assert (ann.get(address).status_code, ann.post(address).status_code) == (403, 403)
        assert ann.get("/genai-batch/connection?conn_id=genai_batch_default").status_code == 403

        pages.append(bob.get("/genai-batch/connection?conn_id=genai_batch_default"))
        assert f"{task.dag_id}: {task.task_id}" in text(pages[-1])
        pages.append(bob.get(address))
        seal = re.findall(r'name="seal" value="([0-9a-f]{64})"', pages[-1].text)[0]
        of_another_site = {"Sec-Fetch-Site": "cross-site"}
        assert bob.post(address, data={"seal": "0" * 64}).status_code == 403
        assert bob.post(address, data={"seal": seal}, headers=of_another_site).status_code == 403
        assert bob.post(address.replace(task.task_id, "other"), data={"seal": seal}).status_code == 404
        foreign = address.replace(quote(job, safe=""), "batches%2Fother")
        assert bob.get(foreign).status_code == 404
        assert not [one for one in gemini.requests if one["path"].endswith(":cancel")]

        _cancel_in(browser, op_token, task)
        clock.advance(10)

    ran = look_while_it_waits(task, lambda: run_dag(make), look, give_up=lambda: clock.advance(10**6))
    assert ran.state == "failed"
    assert len([one for one in gemini.requests if one["path"].endswith(":cancel")]) == 1
    assert "cancel_genai_batch_job" in _audit(task.dag_id)["bob"]

    ended = bob.get(f"/genai-batch/rows?{task.address}&status=cancelled")
    assert "20 rows of the 40 that were looked through" in text(ended)
    pages += [ended, ann.get(f"/genai-batch/task?{task.address}")]
    assert not [page.url for page in pages if secret in page.text]


def _page(user: httpx.Client, address: str, said: str) -> httpx.Response:
    """Load a page until it says something: a list may come too late for one."""
    pages: list[httpx.Response] = []

    def says() -> bool:
        pages.append(user.get(f"/genai-batch/{address}"))
        return said in text(pages[-1])

    wait_until(says, f"{address} says {said!r}")
    return pages[-1]


def _cancel_in(browser: Browser, token: str, task: WaitingTask) -> None:
    """Find the pages in Airflow's navigation, and press what cancels the job."""
    browser.go("/genai-batch/style.css")
    browser.driver.add_cookie({"name": "_token", "value": token})
    browser.go("/variables")
    browser.click("Browse")
    browser.press("//*[@role='menuitem' and normalize-space()='GenAI batch']")
    with browser.frame():
        browser.press(f"//a[normalize-space()='{task.dag_id}: {task.task_id}']")
        browser.see("20 of 40 rows done")
        browser.screenshot("page-running")
        browser.press("//a[normalize-space()='Cancel …']")
        browser.see("Cancel this job?")
        browser.click("Cancel the job")
        browser.see("was asked to be cancelled")


def _audit(dag_id: str) -> dict[str, set[str]]:
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        found: dict[str, set[str]] = {}
        for owner, event in session.execute(select(Log.owner, Log.event).where(Log.dag_id == dag_id)):
            found.setdefault(str(owner), set()).add(event)
    return found


def test_the_list_of_a_connection_names_only_what_a_user_may_read_and_stays_while_the_service_is_away(
    gemini: Emulator, bob: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_genai_batch.client import GenAIBatchClient
    from airflow_provider_genai_batch.hooks.genai_batch import open_client

    migrate()
    monkeypatch.setenv("AIRFLOW_CONN_SOMETIMES", json.dumps(gemini.connection("gemini")))
    unknown = Identity("1" * 64, "2" * 64).display_name("dag_of_another.task_of_another")
    with open_client("sometimes") as client:
        assert isinstance(client, GenAIBatchClient)
        other = client.create(MODEL, ["Hello"], display_name=unknown).name
        job = client.create(MODEL, ["<b>Hello</b>"], display_name="<i>mine</i>").name
    listed = text(_page(bob, "connection?conn_id=sometimes", job))
    assert other in listed
    assert "of_another" not in listed
    LISTS.forget("sometimes")
    gemini.faults.add("batches.list", Fault.error(403, "<u>not</u> for you"))
    page = _page(bob, "connection?conn_id=sometimes", "has failed since")
    assert job in text(page)
    assert "They are shown as of" in text(page)
    assert "<u>" not in page.text
    assert "<i>" not in page.text
    assert unescape(page.text).count("<i>mine</i>") == 1


def test_a_task_that_waits_in_its_slot_is_found_by_what_it_wrote_down(
    gemini: Emulator, emulator_settings: dict[str, Any], ann: httpx.Client
) -> None:
    pytest.importorskip("airflow.models.task_state_store", reason="Airflow keeps such notes since 3.3")
    clock, task = emulator_settings["clock"], WaitingTask(in_place=True)

    def make() -> GenAIBatchOperator:
        return GenAIBatchOperator(
            task_id=task.task_id, model=MODEL, src=["Is it good?"] * 4, poll_interval=0.2, deferrable=False
        )

    def look() -> None:
        LISTS.forget("genai_batch_default")
        gemini.faults.add("batches.list", Fault.error(403))
        page = text(_page(ann, f"task?{task.address}", "has failed since"))
        assert gemini.jobs[-1]["name"] in page
        clock.advance(2000)

    ran = look_while_it_waits(task, lambda: run_dag(make), look, give_up=lambda: clock.advance(10**6))
    assert ran.state == "success"
