"""What stands in front of bqemulator: answers of the real service where it would let a mistake pass.

Each rule is here because without it a test of a mistaken pipeline could pass, or hang:

* a job id that was used before: 409 ``duplicate`` (upstream runs the job again);
* a query that failed in ``jobs.query``: the HTTP error (upstream answers 200 with no rows, and the Python
  client takes that for an empty result);
* a row that does not fit its table: an insert error (upstream drops what it does not know, and takes nearly
  any value);
* the number of rows of a table: the true one (upstream says what it was at the last DDL statement);
* anything below a dataset or a table that does not exist: 404 ``notFound`` (upstream answers 500 for some);
* a breakdown of its own: 501, which clients give up on at once, where they repeat a 500 for ten minutes.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from bqemulator.storage.sql_identifiers import quoted_table_ref
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from airflow_provider_genai_batch.emulator.bigquery_rows import error, row_errors

_log = logging.getLogger(__name__)

Next = Callable[[Request], Awaitable[Response]]

_JOBS = re.compile(r"^/bigquery/v2/projects/([^/]+)/jobs$")
_QUERIES = re.compile(r"^/bigquery/v2/projects/([^/]+)/queries$")
_DATASET = re.compile(r"^/bigquery/v2/projects/([^/]+)/datasets/([^/]+)(/.*)?$")
_ONE_TABLE = re.compile(r"^/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/:]+)$")
_INSERT = re.compile(r"^/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/:]+)/insertAll$")
_TABLE = re.compile(r"^/tables/([^/:]+)(?:/|$)")
_STATUS_OF_REASON = {"notFound": 404, "duplicate": 409, "accessDenied": 403, "notImplemented": 501}


class Guard(BaseHTTPMiddleware):
    """Refuses what the real service refuses."""

    def __init__(self, app: ASGIApp, context: Any) -> None:
        """Remember whom to ask what exists.

        Args:
            app: What is guarded.
            context: bqemulator's own context: its catalog of datasets, tables and jobs, and its engine.
        """
        super().__init__(app)
        self._catalog = context.catalog
        self._engine = context.engine
        self._job_ids: set[tuple[str, str]] = set()

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        """Answer in place of the app, or mend its answer."""
        if refused := await self._refuse(request):
            return refused
        path = request.url.path
        try:
            reply = await call_next(request)
        except Exception as broken:  # noqa: BLE001 - whatever breaks upstream must not become a 500
            _log.exception("broke down at %s %s", request.method, path)
            return refusal(501, "notImplemented", f"The stand-in for BigQuery broke down: {broken}")
        if reply.status_code != HTTPStatus.OK:
            return reply
        if request.method == "POST" and _QUERIES.match(path):
            return await _failed_query_as_error(reply)
        if request.method == "GET" and (one := _ONE_TABLE.match(path)):
            table = await _json(reply)
            if table.get("type") == "TABLE":
                table["numRows"] = str(self._count(one.groups()))
            return JSONResponse(table)
        return reply

    async def _refuse(self, request: Request) -> Response | None:
        """Answer what never gets to the app."""
        path = request.url.path
        if missing := self._missing(path):
            return refusal(404, "notFound", missing)
        if request.method != "POST":
            return None
        if found := _JOBS.match(path):
            body = json.loads(await request.body() or b"{}")
            job_id = body.get("jobReference", {}).get("jobId")
            if job_id and not self.claim(found[1], job_id):
                return refusal(409, "duplicate", f"Already Exists: Job {found[1]}:US.{job_id}")
        if insert := _INSERT.match(path):
            body = json.loads(await request.body() or b"{}")
            if errors := self._bad_rows(insert.groups(), body):
                return JSONResponse({"kind": "bigquery#tableDataInsertAllResponse", "insertErrors": errors})
        return None

    def claim(self, project: str, job_id: str) -> bool:
        """Take a job id; False when it was used before.

        Claimed before the job runs, so that two requests at the same time cannot both have it.
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
        """Build the insert errors; with any, no row is inserted."""
        fields = self._catalog.get_table(*table).schema_.fields
        found = []
        for index, row in enumerate(body.get("rows", [])):
            if errors := row_errors(fields, row.get("json", {})):
                found.append({"index": index, "errors": errors})
        return found

    def _missing(self, path: str) -> str | None:
        """Say what the path names that does not exist."""
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
    """Build an error in BigQuery's shape.

    Args:
        code: HTTP status.
        reason: BigQuery's word for it.
        message: Text for people.
    """
    return JSONResponse(
        {"error": {"code": code, "message": message, "errors": [error(reason, message)]}}, code
    )


async def _json(reply: Response) -> dict[str, Any]:
    body = b"".join([chunk async for chunk in reply.body_iterator])  # type: ignore[attr-defined]
    found: dict[str, Any] = json.loads(body)
    return found


async def _failed_query_as_error(reply: Response) -> Response:
    answer = await _json(reply)
    if errors := answer.get("errors"):
        reason = errors[0].get("reason", "invalidQuery")
        return refusal(_STATUS_OF_REASON.get(reason, 400), reason, errors[0].get("message", ""))
    return JSONResponse(answer)
