"""The pages as Airflow's own API server serves them, over its database and its permissions."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.pages.service.lists import JobLists
from tests.browser.browser import Browser
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL
from tests.pages.auth import HidingAuthManager
from tests.pages.copies import copy_task, push_instead, unbegin
from tests.pages.server import token_of


def ask(folder: Path, **settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            model=MODEL,
            src=["A prompt nobody is to see.", "Another."],
            poll_interval=0.01,
            deferrable=False,
            **settings,
        )
    )


def text(page: Any) -> str:
    assert page.status_code == 200, page.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def test_tasks_are_listed_with_their_rows_and_summed_up(
    gemini: Emulator, ann: httpx.Client, tmp_path: Path
) -> None:
    ran = ask(tmp_path, results_uri=str(tmp_path / "rows.jsonl"))
    manifest = ran.xcom["ask"]
    found = text(ann.get(f"/genai-batch/?dag_id={ran.dag_id}"))
    assert f"{ran.dag_id}: ask" in found
    assert "2 of 2 ok" in found
    assert "1 task; times are UTC" in found

    found = text(ann.get(f"/genai-batch/sums?dag_id={ran.dag_id}"))
    assert "for 2 rows of 1 task" in found
    assert MODEL in found
    assert f"{manifest['usage']['total']:,}" in found


def test_the_tab_of_a_task_has_its_jobs_causes_and_cost(
    gemini: Emulator, ann: httpx.Client, tmp_path: Path
) -> None:
    gemini.script(JobScript(row_errors={1: 13}))
    ran = ask(tmp_path)
    assert ran.state == "failed"
    (found,) = re.findall(
        r'href="(task\?[^"]+)"', ann.get(f"/genai-batch/?dag_id={ran.dag_id}&state=failed").text
    )
    page = ann.get("/genai-batch/" + found.replace("&amp;", "&"))
    said = text(page)
    assert gemini.jobs[0]["name"] in said
    assert "Causes of failed rows" in said
    assert "error 1" in said
    assert re.search(r"Cost (&lt; )?\$\d", said)
    assert "A prompt nobody" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    unmapped = ann.get(
        "/genai-batch/" + found.replace("&amp;", "&").replace("map_index=-1", "map_index={MAP_INDEX}")
    )
    assert unmapped.status_code == 200


def test_nobody_sees_what_he_may_not_read(
    gemini: Emulator, ann: httpx.Client, nobody: httpx.Client, tmp_path: Path
) -> None:
    ran = ask(tmp_path)
    for path in ("", "sums"):
        assert f">{ran.dag_id}" in ann.get(f"/genai-batch/{path}?days=90").text
    HidingAuthManager.hidden.add(ran.dag_id)
    for path in ("", "sums"):
        assert ran.dag_id not in ann.get(f"/genai-batch/{path}?days=90").text
    one = ann.get(f"/genai-batch/task?dag_id={ran.dag_id}&run_id=any&task_id=ask&map_index=-1")
    assert one.status_code == 403
    for path in ("", "sums", f"task?dag_id={ran.dag_id}&run_id=any&task_id=ask"):
        assert nobody.get(f"/genai-batch/{path}").status_code == 401


def test_every_page_asks_who_the_user_is(nobody: httpx.Client) -> None:
    from airflow_provider_genai_batch.pages.app import app

    anything = dict.fromkeys(("dag_id", "run_id", "task_id", "job", "conn_id"), "any")
    asked = [(method, route.path) for route in app.routes for method in getattr(route, "methods", ())]
    assert len(asked) == 8
    for method, path in asked:
        answer = nobody.request(method, f"/genai-batch{path}", params=anything)
        assert answer.status_code == (200 if path == "/style.css" else 401), path


def test_what_others_pushed_in_place_of_a_manifest_breaks_no_page_and_reads_nothing(
    gemini: Emulator, ann: httpx.Client, tmp_path: Path
) -> None:
    ran = ask(tmp_path, results_uri=str(tmp_path / "rows.jsonl"))
    manifest = ran.xcom["ask"]
    (tmp_path / "rows.jsonl").rename(tmp_path / "of_another.jsonl")
    task = f"dag_id={ran.dag_id}&run_id={quote(ran.run_id)}&task_id=ask"
    for value in (
        {**manifest, "create_time": "2026-03-01T02:00:00"},
        {**manifest, "counts": {"total": "many", "ok": 1}},
        {**manifest, "counts": [1, 2], "usage": {"total": 10**400}},
        [manifest],
    ):
        push_instead(ran.dag_id, json.dumps(value))
        for path in ("?days=7", "?sort=failed", "?sort=tokens", "sums?days=7", f"task?{task}&map_index=--5"):
            assert ann.get(f"/genai-batch/{path}").status_code == 200, (path, value)
    push_instead(ran.dag_id, "[" * 100_000)
    assert ann.get("/genai-batch/?sort=failed").status_code == 200
    push_instead(ran.dag_id, json.dumps({**manifest, "results_uri": str(tmp_path / "of_another.jsonl")}))
    assert "Nothing was read" in text(ann.get(f"/genai-batch/rows?{task}"))


def test_no_session_is_open_while_a_page_waits_for_a_service_or_for_permissions(
    gemini: Emulator, bob: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = ask(tmp_path)
    push_instead(ran.dag_id, "null")
    address = f"dag_id={ran.dag_id}&run_id={quote(ran.run_id)}&task_id=ask"
    waited: list[int] = []
    lists, decide = JobLists.of, HidingAuthManager.is_authorized_dag
    with transactions() as open_:

        def of(*args: Any) -> Any:
            waited.append(open_[get_ident()])
            return lists(*args)

        def is_authorized_dag(*args: Any, access_entity: Any = None, **others: Any) -> bool:
            if access_entity is not None:  # Airflow itself asks without it, in a session of its own
                waited.append(open_[get_ident()])
            return decide(*args, access_entity=access_entity, **others)

        monkeypatch.setattr(JobLists, "of", of)
        monkeypatch.setattr(HidingAuthManager, "is_authorized_dag", is_authorized_dag)
        for path in (
            f"?dag_id={ran.dag_id}",
            "sums",
            f"task?{address}",
            "connection?conn_id=genai_batch_default",
        ):
            assert bob.get(f"/genai-batch/{path}").status_code == 200
        job = quote(gemini.jobs[0]["name"], safe="")
        page = bob.get(f"/genai-batch/cancel?{address}&job={job}")
        seal = re.findall(r'name="seal" value="([0-9a-f]{64})"', page.text)[0]
        assert bob.post(f"/genai-batch/cancel?{address}&job={job}", data={"seal": seal}).status_code == 200
    assert len(waited) >= 10
    assert not any(waited)


@contextmanager
def transactions() -> Iterator[Counter[int]]:
    """Give the number of open transactions of each thread."""
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    open_: Counter[int] = Counter()

    def begun(*_: Any) -> None:
        open_[get_ident()] += 1

    def ended(*_: Any) -> None:
        open_[get_ident()] -= 1

    event.listen(Session, "after_transaction_create", begun)
    event.listen(Session, "after_transaction_end", ended)
    try:
        yield open_
    finally:
        event.remove(Session, "after_transaction_create", begun)
        event.remove(Session, "after_transaction_end", ended)


def test_rights_are_asked_for_the_team_that_owns_a_dag_or_connection(
    gemini: Emulator, server: str, bob: httpx.Client, tmp_path: Path
) -> None:
    pytest.importorskip("airflow.models.team", reason="Airflow has no teams before 3.1.1")
    ran = ask(tmp_path)
    team = own(ran.dag_id, "of_a_team")
    cookies = {"_token": token_of("eve", "op", teams=[team])}
    with httpx.Client(base_url=server, trust_env=False, timeout=120, cookies=cookies) as eve:
        for user, status in ((bob, 403), (eve, 200)):
            assert user.get("/genai-batch/connection?conn_id=of_a_team").status_code == status
            assert (ran.dag_id in user.get("/genai-batch/?days=90").text) == (status == 200)


def own(dag_id: str, conn_id: str) -> str:
    """Let a team own a DAG, in a bundle of its own, and a new connection; return the team."""
    from airflow.models.connection import Connection
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.team import Team
    from airflow.utils.session import create_session

    name = "team-red"
    with create_session(scoped=False) as session:
        team, bundle = Team(name=name), DagBundleModel(name="bundle-red")
        bundle.teams.append(team)
        session.add_all([team, bundle])
        session.flush()
        session.add(Connection(conn_id=conn_id, conn_type="genai_batch", team_name=name))
        session.get(DagModel, dag_id).bundle_name = bundle.name
    return name


def test_what_others_typed_is_shown_as_text(ann: httpx.Client) -> None:
    page = ann.get("/genai-batch/", params={"dag_id": '"><script>alert(1)</script>'})
    assert page.status_code == 200
    assert "<script>" not in page.text


def test_an_address_that_shows_nothing_says_why_as_a_page(
    gemini: Emulator, ann: httpx.Client, nobody: httpx.Client, tmp_path: Path
) -> None:
    ran = ask(tmp_path)
    task = f"dag_id={ran.dag_id}&run_id={quote(ran.run_id)}&task_id"
    for path, status, words in (
        (f"task?{task}=<b>another</b>", 404, "This is not a task of airflow-provider-genai-batch."),
        (f"task?dag_id={ran.dag_id}", 422, "see run_id, task_id in it."),
        ("nowhere", 404, "Not Found"),
        ("?days=<b>some</b>&page=-1", 422, "The address cannot be read: see days, page in it."),
        (f"cancel?{task}=ask&job=any", 403, "Forbidden"),
    ):
        page = ann.get(f"/genai-batch/{path}")
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8"), path
        assert words in page.text
        assert "<b>" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    page = nobody.get("/genai-batch/")
    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")


def test_a_task_that_only_plans_shows_its_plan_and_one_that_failed_before_its_job_says_so(
    gemini: Emulator, ann: httpx.Client, tmp_path: Path
) -> None:
    planned, refused = ask(tmp_path, plan_only=True), ask(tmp_path, max_cost=1e-9)
    assert (planned.state, refused.state) == ("success", "failed")
    pages = [
        text(ann.get(f"/genai-batch/task?dag_id={ran.dag_id}&run_id={quote(ran.run_id)}&task_id=ask"))
        for ran in (planned, refused)
    ]
    assert re.search(r"Planned 2 requests in 1 job, [\d,]+ tokens of prompts Expected cost .*\$", pages[0])
    assert "No job of the task is known." in pages[0]
    assert "No job of the task is known. Its log says why it failed." in pages[1]


def test_a_task_that_has_not_begun_is_shown(gemini: Emulator, ann: httpx.Client, tmp_path: Path) -> None:
    ran = ask(tmp_path)
    unbegin(ran.dag_id)
    page = text(ann.get(f"/genai-batch/task?dag_id={ran.dag_id}&run_id={quote(ran.run_id)}&task_id=ask"))
    assert ", scheduled , not begun." in page
    assert ran.dag_id in text(ann.get(f"/genai-batch/?dag_id={ran.dag_id}&state=scheduled"))


def test_filters_that_fit_nothing_are_not_taken_for_an_empty_airflow(
    gemini: Emulator, ann: httpx.Client, bob: httpx.Client, tmp_path: Path
) -> None:
    ran = ask(tmp_path)
    for path in ("?dag_id=another", "?state=up_for_reschedule", "sums?dag_id=another"):
        assert re.search("fits the filters", text(ann.get(f"/genai-batch/{path}"))), path
    assert "There are not so many tasks: the last page is page 1." in text(
        ann.get(f"/genai-batch/?dag_id={ran.dag_id}&page=7")
    )
    assert "no more than the newest 5,000" in text(bob.get("/genai-batch/connection"))
    page = bob.get("/genai-batch/connection?conn_id=genai_batch_default&state=PAUSED").text
    assert "<option selected>PAUSED</option>" in page
    assert "The service lists no job of the last 8 days in this state." in page
    assert '<option value="90" selected>' in ann.get("/genai-batch/?days=14").text


def test_many_tasks_come_page_by_page(gemini: Emulator, ann: httpx.Client, tmp_path: Path) -> None:
    ran = ask(tmp_path)
    copy_task(ran.dag_id, "ask", 120)
    first = ann.get(f"/genai-batch/?dag_id={ran.dag_id}")
    assert "121 tasks" in text(first)
    assert "Page 1 of 3" in text(first)
    assert first.text.count('href="task?') == 50
    last = ann.get(f"/genai-batch/?dag_id={ran.dag_id}&page=2")
    assert last.text.count('href="task?') == 21


def test_the_pages_open_inside_airflows_own(
    gemini: Emulator, browser: Browser, token: str, tmp_path: Path
) -> None:
    ran = ask(tmp_path)
    job = gemini.jobs[0]["name"]
    browser.go("/genai-batch/style.css")
    browser.driver.add_cookie({"name": "_token", "value": token})
    path = f"/dags/{ran.dag_id}/runs/{quote(ran.run_id, safe='')}/tasks/ask/plugin/genai-batch-task"
    browser.go(path)
    with browser.frame():
        browser.see(job)
        assert "Cancel" not in browser.text
        browser.press("//a[normalize-space()='Over time']")
        browser.see("By model")
        browser.press("//a[normalize-space()='Tasks']")
        browser.see("2 of 2 ok")
        browser.press("//a[normalize-space()='Cost']")
        browser.find("th[aria-sort=descending]")
    for path in ("", "sums", f"task?dag_id={ran.dag_id}&run_id={quote(ran.run_id)}&task_id=ask"):
        browser.go(f"/genai-batch/{path}")
        with browser.narrow(375):
            browser.see(ran.dag_id)
            assert browser.width_of_content() <= 375
    with browser.dark():
        bars = "return getComputedStyle(document.documentElement).getPropertyValue('--bar').trim()"
        assert browser.driver.execute_script(bars) == "#7aa7f0"
        browser.screenshot("page-task-dark")
