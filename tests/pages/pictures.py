"""Take the pictures of the pages: ``python -m tests.pages.pictures``. It needs Debian's chromium and chromium-driver.

The tasks are two that ran against the emulator, copied over two weeks with numbers that grow.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

import tests.conftest  # noqa: F401 - sets Airflow up in this process
from tests.browser.browser import Browser
from tests.pages.server import airflow_server, token_of
from tests.pages.waiting import WaitingTask, look_while_it_waits

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
NIGHTS = 14
TASKS = {"nightly_reviews": ("classify", 40_000), "catalogue": ("describe", 9_000)}


def main() -> None:
    """Run, copy, look."""
    from airflow_provider_genai_batch.emulator import Emulator, Lifecycle, VirtualClock

    clock = VirtualClock(datetime.now(timezone.utc))
    with (
        ExitStack() as stack,
        tempfile.TemporaryDirectory() as folder,
        Emulator() as emulator,
        Emulator(clock=clock, lifecycle=Lifecycle.timed(running=4000)) as slow,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(emulator.connection("gemini")))
        random = Random(6)
        for dag_id, (task_id, rows) in TASKS.items():
            _dag(dag_id, task_id, Path(folder), ["Is it good?", "Is it bad?"]).test()
            _copy(dag_id, task_id, rows, random)
        url = stack.enter_context(airflow_server())
        browser = stack.enter_context(Browser(url, width=1380, height=700, scale=1.25))
        patch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(slow.connection("gemini")))
        task = WaitingTask("moderate")
        dag = _dag("comments", task.task_id, Path(folder), ["Is it rude?"] * 4000, deferrable=True)

        def look() -> None:
            clock.advance(2700)
            _look(browser, task)
            clock.advance(4000)

        look_while_it_waits(task, dag.test, look, give_up=lambda: clock.advance(10**6))


def _look(browser: Browser, task: WaitingTask) -> None:
    browser.go("/genai-batch/style.css")
    browser.driver.add_cookie({"name": "_token", "value": token_of("ann", "op")})
    _show_as_deferred(task)
    browser.go("/plugin/genai-batch")
    with browser.frame():
        browser.see("of 4,000 done")
    browser.driver.save_screenshot(str(PICTURES / "page-tasks.png"))
    with browser.frame():
        browser.press(f"//a[normalize-space()='{task.dag_id}: {task.task_id}']")
        browser.see("Cancel …")
    browser.driver.save_screenshot(str(PICTURES / "page-running.png"))
    with browser.frame():
        browser.press("//a[normalize-space()='Over time']")
        browser.see("By model")
    browser.driver.save_screenshot(str(PICTURES / "page-sums.png"))


def _show_as_deferred(task: WaitingTask) -> None:
    """``dag.test`` calls a deferred task queued."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session(scoped=False) as session:
        query = update(TaskInstance).where(TaskInstance.task_id == task.task_id)
        session.execute(query.values(state="deferred"))


def _dag(dag_id: str, task_id: str, folder: Path, src: list[str], **settings: Any) -> Any:
    from airflow.sdk import DAG

    from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
    from tests.dags import migrate
    from tests.serialised import serialise

    with DAG(dag_id, schedule=None) as dag:
        GenAIBatchOperator(
            task_id=task_id,
            model="gemini-2.5-flash",
            src=src,
            results_uri=str(folder / f"{dag_id}.jsonl"),
            poll_interval=0.2,
            **{"deferrable": False, **settings},
        )
    migrate()
    serialise(dag)
    return dag


def _copy(dag_id: str, task_id: str, rows: int, random: Random) -> None:
    """Make nights of one task instance, with numbers of their own."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import insert, select

    with create_session(scoped=False) as session:
        tasks: Any = TaskInstance.__table__
        xcoms: Any = XComModel.__table__
        (task,) = session.execute(select(tasks).where(tasks.c.dag_id == dag_id)).mappings()
        where = (xcoms.c.dag_id == dag_id, xcoms.c.task_id == task_id, xcoms.c.key == "return_value")
        (xcom,) = session.execute(select(xcoms).where(*where)).mappings()
        rendered: Any = RenderedTaskInstanceFields.__table__
        (fields,) = session.execute(select(rendered).where(rendered.c.dag_id == dag_id)).mappings()
        for night in range(NIGHTS):
            back, failed = timedelta(days=night), random.randrange(rows // 500)
            minutes = random.randrange(20, 150)
            begun = task["start_date"] - back - timedelta(minutes=minutes)
            copied = {
                **task,
                "id": uuid4(),
                "map_index": night,
                "start_date": begun,
                "end_date": task["end_date"] - back,
            }
            session.execute(insert(tasks), copied)
            value = _manifest(xcom["value"], rows + random.randrange(rows // 3), failed)
            value["create_time"] = begun.isoformat()
            value["start_time"] = (begun + timedelta(minutes=minutes / 3)).isoformat()
            session.execute(insert(rendered), {**fields, "map_index": night})
            session.execute(insert(xcoms), {**xcom, "map_index": night, "value": value})


def _manifest(value: Any, rows: int, failed: int) -> dict[str, Any]:
    manifest = json.loads(value) if isinstance(value, str) else dict(value)
    tokens = 60 * rows
    return {
        **manifest,
        "counts": {**manifest["counts"], "total": rows, "ok": rows - failed, "error": failed},
        "causes": {"13 INTERNAL": failed} if failed else {},
        "usage": {**manifest["usage"], "total": tokens},
        "cost": {**manifest["cost"], "usd": tokens * 0.4e-6},
        "plan": {
            **manifest["plan"],
            "requests": rows,
            "cost": {"batch": {"least": 0, "most": 1, "expected": tokens * 0.42e-6}},
        },
    }


if __name__ == "__main__":
    main()
