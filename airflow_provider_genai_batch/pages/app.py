"""The pages, as the API server serves them. Every route asks who the user is, and shows what that user may read.

Source of what Airflow demands: its documentation of plugins (``fastapi_apps``), and Airflow 3.1 to 3.3 as they ran.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader
from sqlalchemy.orm import Session

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.pages import chart, words
from airflow_provider_genai_batch.pages.records import PAGE, Wanted, all_tasks, task, tasks
from airflow_provider_genai_batch.pages.sums import Sum, sums_of

STATES = ("deferred", "running", "queued", "success", "failed", "up_for_retry", "awaiting_input", "skipped")
SPANS = {1: "a day", 7: "a week", 30: "a month", 90: "three months"}
"""Days that can be shown."""
_HEADERS = {
    # Nothing is fetched from anywhere else, and no other site shows the page.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

app = FastAPI(title="GenAI batch", openapi_url=None, docs_url=None, redoc_url=None)
_templates = Environment(
    loader=PackageLoader("airflow_provider_genai_batch.pages"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(
    duration=words.duration,
    between=words.between,
    moment=words.moment,
    usd=words.usd,
    number=words.number,
    model_name=words.model_name,
    parts_of=chart.parts_of,
)


@app.get("/style.css")
def style() -> Response:
    """Return the style of all pages; it says nothing of anybody's data."""
    text = _templates.get_template("style.css").render()
    return Response(text, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


@app.get("/")
def jobs(
    user: GetUserDep,
    dag_id: str = "",
    state: str = "",
    days: int = 7,
    page: Annotated[int, Query(ge=0)] = 0,
) -> HTMLResponse:
    """Return the tasks of this package that the user may see, the latest first."""
    with _session() as session:
        wanted = _wanted(user, days, dag_id=dag_id, state=state, page=page)
        found, in_all = tasks(session, wanted)
    return _page(
        "jobs.html",
        records=found,
        in_all=in_all,
        wanted=wanted,
        days=days,
        spans=SPANS,
        states=STATES,
        pages=-(-in_all // PAGE),
        now=clock.now(),
    )


@app.get("/sums")
def sums(user: GetUserDep, days: int = 30, dag_id: str = "") -> HTMLResponse:
    """Return what the user's DAGs cost over time."""
    with _session() as session:
        found = sums_of(all_tasks(session, _wanted(user, days, dag_id=dag_id)))
    return _page(
        "sums.html",
        sums=found,
        dag_id=dag_id,
        days=days,
        spans=SPANS,
        chart=chart.bars(
            {day: one.usd for day, one in found.days.items()},
            {day: words.usd(one.usd) for day, one in found.days.items()},
            "Cost by day in USD",
        ),
        tables={"Day": found.days, "DAG": _dearest(found.dags), "Model": _dearest(found.models)},
        causes=found.causes.most_common(),
        queue_times=found.queue_times(),
    )


@app.get(
    "/task",
    dependencies=[Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.XCOM))],
)
def one_task(dag_id: str, run_id: str, task_id: str, map_index: str = "-1") -> HTMLResponse:
    """Return the jobs, rows and cost of one task."""
    # Airflow leaves {MAP_INDEX} as it is where a task is not mapped.
    index = int(map_index) if map_index.lstrip("-").isdigit() else -1
    with _session() as session:
        record = task(session, dag_id, task_id, run_id, index)
    if record is None:
        raise HTTPException(404, "This is no task of airflow-provider-genai-batch.")
    return _page("task.html", record=record, now=clock.now())


def _wanted(user: Any, days: int, **others: Any) -> Wanted:
    dags = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    days = days if days in SPANS else max(SPANS)
    return Wanted(dags=dags, since=clock.now() - timedelta(days=days), **others)


def _dearest(sums: Mapping[str, Sum]) -> dict[str, Sum]:
    return dict(sorted(sums.items(), key=lambda item: item[1].usd, reverse=True))


@contextmanager
def _session() -> Iterator[Session]:
    with create_session(scoped=False) as session:
        yield session


def _page(template: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(**values), headers=_HEADERS)
