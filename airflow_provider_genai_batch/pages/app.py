"""The pages, as the API server serves them. Every route checks the user, and shows only what that user may read.

Routes are functions, not coroutines: the server runs each in a thread. Calls to a service run in separate threads. No
session of the database is open while a route waits for a service or for Airflow's auth manager, which may ask a server.

Source for Airflow's requirements: its documentation of plugins (``fastapi_apps``), and the behaviour of Airflow 3.1 to
3.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from airflow.utils.session import create_session
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException as HttpError

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.models.jobs.identity import key_of_job
from airflow_provider_genai_batch.pages import actions, chart, words
from airflow_provider_genai_batch.pages.left import left_by
from airflow_provider_genai_batch.pages.progress import Progress, key_of, progress_of
from airflow_provider_genai_batch.pages.records import PAGE, SORTS, Wanted, all_tasks, dags_of, places, tasks
from airflow_provider_genai_batch.pages.render import page, style_sheet
from airflow_provider_genai_batch.pages.rights import GetUserDep, may_use, own_dags, readable
from airflow_provider_genai_batch.pages.service.lists import BACK, LISTS, MOST_JOBS
from airflow_provider_genai_batch.pages.sums import Sum, sums_of

STATES = (
    "scheduled",
    "queued",
    "running",
    "deferred",
    "awaiting_input",
    "up_for_reschedule",
    "up_for_retry",
    "success",
    "failed",
    "skipped",
    "upstream_failed",
    "removed",
)
"""The states of tasks that can be chosen: all that a task has for more than a moment."""
SPANS = {1: "a day", 7: "a week", 30: "a month", 90: "three months"}
"""The periods that can be chosen, in days."""
_LONGEST_AGO = 2 * BACK
"""How long ago a task began, at most, whose jobs are in a list: it may have waited, or submitted a later round."""
PageNumber = Annotated[int, Query(ge=0, le=100_000)]

app = FastAPI(title="GenAI batch", openapi_url=None, docs_url=None, redoc_url=None)
app.include_router(actions.router)


@app.exception_handler(HttpError)
def trouble(_: Request, error: HttpError) -> HTMLResponse:
    """Return the page that says why there is no page."""
    return page("trouble.html", error.status_code, error.headers, words=str(error.detail))


@app.exception_handler(RequestValidationError)
def bad_address(_: Request, error: RequestValidationError) -> HTMLResponse:
    """Return the page that names the parameters of an address that cannot be read."""
    names = sorted({str(one["loc"][-1]) for one in error.errors()})
    return page("trouble.html", 422, words=f"The address cannot be read: see {', '.join(names)} in it.")


@app.get("/style.css")
def style() -> Response:
    """Return the style sheet of all pages."""
    return style_sheet()


@app.get("/")
def jobs(
    user: GetUserDep,
    dag_id: str = "",
    state: str = "",
    conn_id: str = "",
    days: int = 7,
    sort: str = "begun",
    number: Annotated[PageNumber, Query(alias="page")] = 0,
) -> HTMLResponse:
    """Return the tasks of this package that the user may see, by default the latest first."""
    filters = {"dag_id": dag_id, "state": state, "conn_id": conn_id, "sort": sort, "page": number}
    days = _span(days)
    wanted = _wanted(user, days, **filters)
    with _session() as session:
        found, in_all = tasks(session, wanted)
        left = left_by(session, [record.place for record in found if not record.counted])
    progress = progress_of(found, left)
    return page(
        "jobs.html",
        records=found,
        progress=progress,
        nothing=Progress(),
        lists={one.left.conn_id: one.listed for one in progress.values() if one.left.conn_id},
        in_all=in_all,
        wanted=wanted,
        filters={**filters, "days": days},
        days=days,
        spans=SPANS,
        states=STATES,
        sorts=SORTS,
        pages=-(-in_all // PAGE),
    )


@app.get("/sums")
def sums(user: GetUserDep, days: int = 30, dag_id: str = "", conn_id: str = "") -> HTMLResponse:
    """Return the cost of the user's DAGs over time."""
    days = _span(days)
    wanted = _wanted(user, days, dag_id=dag_id, conn_id=conn_id)
    with _session() as session:
        found = sums_of(all_tasks(session, wanted))
    usd_by_day = found.usd_by_day()
    return page(
        "sums.html",
        sums=found,
        dag_id=dag_id,
        conn_id=conn_id,
        days=days,
        spans=SPANS,
        chart=chart.bars(
            usd_by_day,
            {day: words.usd(usd) for day, usd in usd_by_day.items()},
            "Cost by day in USD",
        ),
        tables={"Day": found.days, "DAG": _dearest(found.dags), "Model": _dearest(found.models)},
        causes=found.causes.most_common(),
        queue_times=found.queue_times(),
    )


@app.get("/connection")
def connection(
    user: GetUserDep,
    conn_id: str = "",
    state: str = "",
    number: Annotated[PageNumber, Query(alias="page")] = 0,
) -> HTMLResponse:
    """Return the jobs that the service of a connection lists, for users who may read the connection."""
    if not conn_id:
        return page("connection.html", conn_id="", states=(), state="", back=BACK.days, most=MOST_JOBS)
    if not may_use(user, conn_id):
        raise HTTPException(403, "Only users who may read the connection can see its jobs.")
    found = LISTS.of([conn_id])[conn_id]
    with _session() as session:
        where = {key_of(place): place for place in places(session, clock.now() - _LONGEST_AGO)}
    dags = readable(user, own_dags(user) & {place[0] for place in where.values()})
    chosen = [job for job in found.jobs.values() if not state or job.state.value == state]
    chosen.sort(key=lambda job: job.create_time.timestamp() if job.create_time else 0.0, reverse=True)
    return page(
        "connection.html",
        conn_id=conn_id,
        list=found,
        jobs=[(job, where.get(key_of_job(job))) for job in chosen[number * PAGE : (number + 1) * PAGE]],
        dags=dags,
        key_of_job=key_of_job,
        in_all=len(chosen),
        states=sorted({job.state.value for job in found.jobs.values()} | ({state} if state else set())),
        back=BACK.days,
        state=state,
        turned=number,
        pages=-(-len(chosen) // PAGE),
    )


def _span(days: int) -> int:
    """Return a period that can be chosen; any other is read as the longest."""
    return days if days in SPANS else max(SPANS)


def _wanted(user: Any, days: int, **others: Any) -> Wanted:
    wanted = Wanted(dags=own_dags(user), since=clock.now() - timedelta(days=days), **others)
    with _session() as session:
        found = dags_of(session, wanted)
    return replace(wanted, dags=readable(user, found))


def _dearest(sums: Mapping[str, Sum]) -> dict[str, Sum]:
    return dict(sorted(sums.items(), key=lambda item: item[1].usd, reverse=True))


@contextmanager
def _session() -> Iterator[Session]:
    with create_session(scoped=False) as session:
        yield session
