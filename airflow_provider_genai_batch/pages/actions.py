"""The pages of one task: its tab, its first rows, and the cancellation of a job."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow.models.log import Log
from airflow.utils.session import create_session
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from airflow_provider_genai_batch.links.pages import job_page
from airflow_provider_genai_batch.pages.left import Left, Place, given_to, left_by
from airflow_provider_genai_batch.pages.progress import Progress, key_of, progress_of
from airflow_provider_genai_batch.pages.records import TaskRecord, task
from airflow_provider_genai_batch.pages.render import page
from airflow_provider_genai_batch.pages.rights import (
    ChangesTask,
    Form,
    GetUserDep,
    ReadsTask,
    is_sealed,
    may_change,
    seal,
)
from airflow_provider_genai_batch.pages.service.cancel import cancel
from airflow_provider_genai_batch.pages.service.first_rows import MOST, first_rows
from airflow_provider_genai_batch.pages.service.row_sources import STATUSES

router = APIRouter()


@router.get("/task", dependencies=[ReadsTask])
def one_task(user: GetUserDep, dag_id: str, run_id: str, task_id: str, map_index: str = "-1") -> HTMLResponse:
    """Return the jobs, rows and cost of one task."""
    with create_session(scoped=False) as session:
        record = _record(session, dag_id, task_id, run_id, map_index)
        left = left_by(session, [record.place])
    progress = progress_of([record], left)[record.place]
    return page(
        "task.html",
        record=record,
        progress=progress,
        console=_console(record, progress),
        statuses=STATUSES,
        may_cancel=may_change(user, dag_id),
    )


@router.get("/rows", dependencies=[ReadsTask])
def rows(dag_id: str, run_id: str, task_id: str, map_index: str = "-1", status: str = "") -> HTMLResponse:
    """Return the first rows of one task, which are read through its connection."""
    with create_session(scoped=False) as session:
        record = _record(session, dag_id, task_id, run_id, map_index)
        given = given_to(session, record.place)
    if record.manifest is None or not record.counted:
        raise HTTPException(404, "The task has landed no rows.")
    found = first_rows(key_of(record.place), given, record.manifest, status) if given else None
    return page("rows.html", record=record, found=found, chosen=status, statuses=STATUSES, most=MOST)


@router.get("/cancel", dependencies=[ChangesTask])
def question(
    request: Request, dag_id: str, run_id: str, task_id: str, job: str, map_index: str = "-1"
) -> HTMLResponse:
    """Return the page that asks whether to cancel a job."""
    with create_session(scoped=False) as session:
        record = _record(session, dag_id, task_id, run_id, map_index)
        left = left_by(session, [record.place])
    progress = _own_job(record, left, job)
    return page(
        "cancel.html",
        record=record,
        job=job,
        known=progress.listed.jobs.get(job),
        seal=seal(request, [*record.place, job]),
        answer=None,
    )


@router.post("/cancel", dependencies=[ChangesTask])
def cancelled(
    request: Request,
    user: GetUserDep,
    form: Form,
    dag_id: str,
    run_id: str,
    task_id: str,
    job: str,
    map_index: str = "-1",
) -> HTMLResponse:
    """Cancel a job of a task, after reading the job by its name, and show what became of it."""
    with create_session(scoped=False) as session:
        record = _record(session, dag_id, task_id, run_id, map_index)
        left = left_by(session, [record.place])
    if not is_sealed(request, [*record.place, job], form.get("seal", "")):
        raise HTTPException(403, "The form is from another page, or too old. Nothing was cancelled.")
    progress = _own_job(record, left, job)
    _note(user, record, job)
    answer = cancel(progress.left.conn_id, job, key_of(record.place))
    return page(
        "cancel.html", record=record, job=job, known=progress.listed.jobs.get(job), seal="", answer=answer
    )


def _record(session: Session, dag_id: str, task_id: str, run_id: str, map_index: str) -> TaskRecord:
    # Airflow does not replace {MAP_INDEX} if a task is not mapped.
    index = int(map_index) if re.fullmatch("-?[0-9]{1,9}", map_index) else -1
    record = task(session, dag_id, task_id, run_id, index)
    if record is None:
        raise HTTPException(404, "This is not a task of airflow-provider-genai-batch.")
    return record


def _console(record: TaskRecord, progress: Progress) -> str:
    """Return the address of Google's page of the jobs; empty if none is known."""
    names = progress.names if record.manifest is None else record.manifest.job_names
    known = [progress.listed.jobs[name] for name in names if name in progress.listed.jobs]
    project = known[0].name.split("/")[1] if known else ""
    return job_page(known, project)


def _own_job(record: TaskRecord, left: Mapping[Place, Left], job: str) -> Progress:
    """Return the progress of a task.

    Raises:
        HTTPException: 404, if the job is not one of the task's jobs.
    """
    progress = progress_of([record], left)[record.place]
    if job not in progress.names:
        raise HTTPException(404, "The task has no such job. Nothing was cancelled.")
    return progress


def _note(user: Any, record: TaskRecord, job: str) -> None:
    """Record in Airflow's audit log who requests the cancellation."""
    where = record.address
    entry = Log("cancel_genai_batch_job", owner=user.get_name(), extra=json.dumps({"job": job}), **where)
    entry.try_number = record.try_number
    with create_session(scoped=False) as session:
        session.add(entry)
