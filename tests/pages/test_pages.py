"""The pages as Airflow's own API server serves them, over its database and its permissions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.browser.browser import Browser
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL
from tests.pages.auth import HidingAuthManager
from tests.pages.copies import copy_task


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


def test_what_others_typed_is_shown_as_text(ann: httpx.Client) -> None:
    page = ann.get("/genai-batch/", params={"dag_id": '"><script>alert(1)</script>'})
    assert page.status_code == 200
    assert "<script>" not in page.text


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
