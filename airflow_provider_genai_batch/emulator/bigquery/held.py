"""Jobs that run until somebody cancels them, where bqemulator 1.4.0 has each done when it answers.

Source: ``jobs.cancel`` of BigQuery's REST reference; "Error messages" for the reason ``stopped``.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.responses import JSONResponse

PATH = "/_emulator/held"
"""POST lets the next job with a text in it run on, GET lists such jobs, DELETE forgets them."""
_INSERT = re.compile(r"^/bigquery/v2/projects/([^/]+)/jobs$")
_JOB = re.compile(r"^/bigquery/v2/projects/[^/]+/jobs/([^/]+?)(/cancel)?$")
_STOPPED = {"reason": "stopped", "message": "Job execution was cancelled: User requested cancellation"}


class Held:
    """Jobs that run on."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: list[str] = []
        self._jobs: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, path: str, text: str) -> dict[str, Any] | None:
        """Answer what is about such jobs, and a call of `PATH`; None: it is about others."""
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
        """Answer a call about one of them; None: it is about no such job."""
        found = _JOB.match(path)
        job = self._jobs.get(found[1]) if found else None
        if found is None or job is None:
            return None
        if found[2] and method == "POST":
            job["status"] = {"state": "DONE", "errorResult": _STOPPED, "errors": [_STOPPED]}
            return {"kind": "bigquery#jobCancelResponse", "job": job}
        return job

    def begun(self, method: str, path: str, text: str) -> JSONResponse | None:
        """Answer a call that begins one of them; None: its job is like any other."""
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
