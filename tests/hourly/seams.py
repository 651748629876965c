"""Where the task's process is cut: at its statements in BigQuery, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.crash import seams

_PATH = re.compile(r".*/bigquery/v2/projects/[^/]+/(?P<rest>.*)")
_JOB = re.compile(r'"jobId": ?"(genai_[^"]*)"')
_DRY = re.compile(r'"dryRun": ?true')
_NUMBERED = re.compile(r"_[0-9a-f]{8,}.*")
_DRAWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A job's id as Google's client draws it: another one each time."""


def cut(reach: Callable[[str], None]) -> None:
    """Have every step of this process reported, until it ends."""
    seams.cut(reach, "")
    import requests

    request = requests.Session.request

    def cut_request(self: Any, method: str, url: str, *args: Any, **how: Any) -> Any:
        found = _PATH.fullmatch(urlsplit(url).path)
        if found is None:
            return request(self, method, url, *args, **how)
        name = f"BigQuery {_name(method, found['rest'], how.get('data') or (args[1:2] or [None])[0])}"
        reach(f"{name}: not sent")
        answer = request(self, method, url, *args, **how)
        reach(f"{name}: reply read")
        return answer

    requests.Session.request = cut_request  # type: ignore[method-assign]


def _name(method: str, rest: str, data: Any) -> str:
    """Name a call: the statement by the begin of its job's id, all others by what they look at."""
    parts = rest.split("/")
    if method == "POST" and data:
        body = data if isinstance(data, str) else bytes(data).decode(errors="replace")
        if _DRY.search(body):
            return "dry run"
        # Other ids are drawn by Google's client, so that no two calls would have one name. A load has lines behind it.
        job = _JOB.search(body)
        return f"{parts[-1]} {_NUMBERED.sub('', job[1])}" if job else parts[-1]
    named = [_NUMBERED.sub("", part) for part in parts[1:2] if not _DRAWN.fullmatch(part)]
    return " ".join([method, parts[0], *named])
