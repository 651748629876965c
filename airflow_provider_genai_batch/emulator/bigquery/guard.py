"""A guard in front of bqemulator. It gives the real service's answers where bqemulator would let a mistake pass.

Without each of these rules, the test of a wrong pipeline could pass or hang:

* a job id that was used before: 409 ``duplicate`` (upstream runs the job again); an invalid job id: 400;
* a job whose datasets are in several locations, or not in the location of the job, and a job that is looked up in a
  location where it did not run: 404 (upstream has everything in ``US``);
* a query that failed in ``jobs.query``: the HTTP error (upstream answers 200 with no rows, and the Python
  client takes that for an empty result);
* a row that does not fit its table: an insert error (upstream drops unknown columns, and accepts nearly
  any value);
* the number of rows of a table: the current one (upstream returns that of the last DDL statement);
* anything below a dataset or a table that does not exist: 404 ``notFound`` (upstream sometimes answers 500);
* a job that a test keeps running until it is cancelled (upstream finishes each job before it answers);
* an internal error of the emulator: 501, at which clients give up at once; they repeat a 500 for ten minutes.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from bqemulator.storage.sql_identifiers import quoted_table_ref
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from airflow_provider_genai_batch.emulator.bigquery.faults import PATH as FAULTS
from airflow_provider_genai_batch.emulator.bigquery.faults import Fault, Faults
from airflow_provider_genai_batch.emulator.bigquery.held import Held
from airflow_provider_genai_batch.emulator.bigquery.options import changed
from airflow_provider_genai_batch.emulator.bigquery.places import Places
from airflow_provider_genai_batch.emulator.bigquery.rows import error, row_errors

_log = logging.getLogger(__name__)

Next = Callable[[Request], Awaitable[Response]]

_JOBS = re.compile(r"^/bigquery/v2/projects/([^/]+)/jobs$")
_ONE_JOB = re.compile(r"^/bigquery/v2/projects/([^/]+)/(?:jobs|queries)/([^/]+)$")
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,1024}")
_QUERIES = re.compile(r"^/bigquery/v2/projects/([^/]+)/queries$")
_DATASET = re.compile(r"^/bigquery/v2/projects/([^/]+)/datasets/([^/]+)(/.*)?$")
_ONE_TABLE = re.compile(r"^/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/:]+)$")
_INSERT = re.compile(r"^/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/:]+)/insertAll$")
_TABLE = re.compile(r"^/tables/([^/:]+)(?:/|$)")
_STATUS_OF_REASON = {"notFound": 404, "duplicate": 409, "accessDenied": 403, "notImplemented": 501}


class Guard(BaseHTTPMiddleware):
    """Refuses the requests that the real service refuses."""

    def __init__(self, app: ASGIApp, context: Any) -> None:
        """Guard an application.

        Args:
            app: The application.
            context: bqemulator's own context: its catalog of datasets, tables and jobs, and its engine.
        """
        super().__init__(app)
        self._context = context
        self._catalog = context.catalog
        self._engine = context.engine
        self._job_ids: set[tuple[str, str]] = set()
        self._places = Places(context.catalog)
        self._faults = Faults()
        self._held = Held()

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        """Answer in place of the app, or correct its answer."""
        path, text = request.url.path, (await request.body()).decode(errors="replace")
        if path == FAULTS:
            return JSONResponse(self._faults.answer(request.method, json.loads(text or "{}"), asdict))
        if job := self._held.answer(request.method, path, text):
            return JSONResponse(job)
        fault = self._faults.take(request.method, path, text)
        if fault and not fault.acted:
            return _of(fault)
        if refused := self._refuse(request, text) or self._held.begun(request.method, path, text):
            return refused
        try:
            reply = await self._mended(request, text, await call_next(request))
        except Exception as broken:  # noqa: BLE001 - no error of upstream may become a 500
            _log.exception("broke down at %s %s", request.method, path)
            return refusal(501, "notImplemented", f"The stand-in for BigQuery broke down: {broken}")
        return _of(fault) if fault else reply

    async def _mended(self, request: Request, text: str, reply: Response) -> Response:
        """Correct the app's answer where the service answers differently."""
        path, method = request.url.path, request.method
        if reply.status_code != HTTPStatus.OK:
            return reply
        if method == "POST" and (found := _JOBS.match(path) or _QUERIES.match(path)):
            answer = await _json(reply)
            if _QUERIES.match(path) and (failed := _failed_query(answer)):
                return failed
            where, _ = self._places.choose(found[1], json.loads(text or "{}"))
            self._places.note(found[1], answer.setdefault("jobReference", {}), where)
            return JSONResponse(answer)
        if method == "GET" and (found := _ONE_JOB.match(path)):
            answer = await _json(reply)
            self._places.tell(found[1], found[2], answer.setdefault("jobReference", {}))
            return JSONResponse(answer)
        if method == "GET" and (one := _ONE_TABLE.match(path)):
            table = await _json(reply)
            if table.get("type") == "TABLE":
                table["numRows"] = str(self._count(one.groups()))
            return JSONResponse(table)
        if method == "POST" and (insert := _INSERT.match(path)):
            changed(self._context, *insert.groups())
        return reply

    def _refuse(self, request: Request, text: str) -> Response | None:
        """Return an answer to a request that must not reach the app; None: it may."""
        path = request.url.path
        if missing := self._missing(path):
            return refusal(404, "notFound", missing)
        if request.method == "GET" and (one := _ONE_JOB.match(path)):
            lost = self._places.missing(one[1], one[2], request.query_params.get("location"))
            return refusal(404, "notFound", lost) if lost else None
        if request.method != "POST":
            return None
        if found := _JOBS.match(path) or _QUERIES.match(path):
            return self._refuse_job(found[1], json.loads(text or "{}"))
        if (insert := _INSERT.match(path)) and (
            errors := self._bad_rows(insert.groups(), json.loads(text or "{}"))
        ):
            return JSONResponse({"kind": "bigquery#tableDataInsertAllResponse", "insertErrors": errors})
        return None

    def _refuse_job(self, project: str, body: dict[str, Any]) -> Response | None:
        job_id = body.get("jobReference", {}).get("jobId")
        if job_id and not _JOB_ID.fullmatch(job_id):
            return refusal(400, "invalid", f'Invalid job ID "{job_id}"')
        where, missing = self._places.choose(project, body)
        if missing:
            return refusal(404, "notFound", missing)
        dry = (body.get("configuration") or {}).get("dryRun")
        if job_id and not dry and not self.claim(project, job_id):
            return refusal(409, "duplicate", f"Already Exists: Job {project}:{where}.{job_id}")
        return None

    def claim(self, project: str, job_id: str) -> bool:
        """Reserve a job id; False if it was used before.

        It is reserved before the job runs, so that two simultaneous requests cannot both get it.
        """
        if (project, job_id) in self._job_ids or self._catalog.get_job(project, job_id) is not None:
            return False
        self._job_ids.add((project, job_id))
        return True

    def _count(self, table: tuple[str | Any, ...]) -> int:
        sql = f"SELECT COUNT(*) FROM {quoted_table_ref(*table)}"  # noqa: S608 - names are checked there
        (count,) = self._engine.execute(sql).fetchone()
        return int(count)

    def _bad_rows(self, table: tuple[str | Any, ...], body: dict[str, Any]) -> list[dict[str, Any]]:
        """Build the insert errors; if there are any, no row is inserted."""
        fields = self._catalog.get_table(*table).schema_.fields
        found = []
        for index, row in enumerate(body.get("rows", [])):
            if errors := row_errors(fields, row.get("json", {})):
                found.append({"index": index, "errors": errors})
        return found

    def _missing(self, path: str) -> str | None:
        """Return an error message if the path names a dataset or table that does not exist."""
        found = _DATASET.match(path)
        if found is None:
            return None
        project, dataset, rest = found[1], found[2], found[3] or ""
        if self._catalog.get_dataset(project, dataset) is None:
            return f"Not found: Dataset {project}:{dataset}"
        table = _TABLE.match(rest)
        if table and self._catalog.get_table(project, dataset, table[1]) is None:
            return f"Not found: Table {project}:{dataset}.{table[1]}"
        return None


def refusal(code: int, reason: str, message: str) -> JSONResponse:
    """Build an error in BigQuery's form.

    Args:
        code: HTTP status.
        reason: BigQuery's reason code.
        message: Text for people.
    """
    return JSONResponse(
        {"error": {"code": code, "message": message, "errors": [error(reason, message)]}}, code
    )


async def _json(reply: Response) -> dict[str, Any]:
    body = b"".join([chunk async for chunk in reply.body_iterator])  # type: ignore[attr-defined]
    found: dict[str, Any] = json.loads(body)
    return found


def _failed_query(answer: dict[str, Any]) -> Response | None:
    if errors := answer.get("errors"):
        reason = errors[0].get("reason", "invalidQuery")
        return refusal(_STATUS_OF_REASON.get(reason, 400), reason, errors[0].get("message", ""))
    return None


def _of(fault: Fault) -> JSONResponse:
    return refusal(fault.status, fault.reason, fault.message)
