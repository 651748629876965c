"""Jobs that run until they are cancelled; bqemulator 1.4.0 finishes each job before it answers.

Source: ``jobs.cancel`` of BigQuery's REST reference; "Error messages" for the reason ``stopped``.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.responses import JSONResponse

PATH = "/_emulator/held"
"""POST keeps the next job that contains a text running, GET lists such jobs, DELETE removes them."""
_INSERT = re.compile(r"^/bigquery/v2/projects/([^/]+)/jobs$")
_JOB = re.compile(r"^/bigquery/v2/projects/[^/]+/jobs/([^/]+?)(/cancel)?$")
_STOPPED = {"reason": "stopped", "message": "Job execution was cancelled: User requested cancellation"}


class Held:
    """Jobs that keep running."""

    def __init__(self) -> None:
        """Begin without jobs."""
        self._waiting: list[str] = []
        self._jobs: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, path: str, text: str) -> dict[str, Any] | None:
        """Answer calls of `PATH` and calls about such jobs; None: the call is about another job."""
        return self._control(method, text) if path == PATH else self._looked_at(method, path)

    def _control(self, method: str, text: str) -> dict[str, Any]:
        """Carry out a call of `PATH`."""
        if method == "POST":
            self._waiting.append(json.loads(text)["naming"])
        elif method == "DELETE":
            self._waiting.clear()
            self._jobs.clear()
        return {"jobs": [{"id": name, **job["status"]} for name, job in self._jobs.items()]}

    def _looked_at(self, method: str, path: str) -> dict[str, Any] | None:
        """Answer a call about one of these jobs; None: it is about another job."""
        found = _JOB.match(path)
        job = self._jobs.get(found[1]) if found else None
        if found is None or job is None:
            return None
        if found[2] and method == "POST":
            job["status"] = {"state": "DONE", "errorResult": _STOPPED, "errors": [_STOPPED]}
            return {"kind": "bigquery#jobCancelResponse", "job": job}
        return job

    def begun(self, method: str, path: str, text: str) -> JSONResponse | None:
        """Answer a call that starts one of these jobs; None: its job is an ordinary one."""
        found = _INSERT.match(path) if method == "POST" else None
        naming = next((one for one in self._waiting if one in text), None)
        if found is None or naming is None:
            return None
        body = json.loads(text)
        if body.get("configuration", {}).get("dryRun"):
            return None
        self._waiting.remove(naming)
        reference = {"projectId": found[1], "location": "US", **body.get("jobReference", {})}
        job = {"kind": "bigquery#job", "status": {"state": "RUNNING"}, "jobReference": reference}
        self._jobs[reference["jobId"]] = {**body, **job}
        return JSONResponse(self._jobs[reference["jobId"]])
