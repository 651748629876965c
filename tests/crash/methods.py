"""Google's names for HTTP requests, so that a step is called what the service calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_JOBS = "batches|batchPredictionJobs"
_TABLE = tuple(
    (verb, re.compile(path), name)
    for verb, path, name in (
        ("POST", r":batchGenerateContent$", "batches.create"),
        ("POST", r"/batchPredictionJobs$", "batchPredictionJobs.create"),
        ("GET", rf"/({_JOBS})$", r"\1.list"),
        ("GET", rf"/({_JOBS})/[^/:]+$", r"\1.get"),
        ("POST", rf"/({_JOBS})/[^/:]+:cancel$", r"\1.cancel"),
        ("DELETE", rf"/({_JOBS})/[^/:]+$", r"\1.delete"),
        ("GET", r"/files/[^/:]+:download$", "files.download"),
        ("GET", r"/files/[^/:]+$", "files.get"),
        ("DELETE", r"/files/[^/:]+$", "files.delete"),
        ("POST", r"^/upload/storage/v1/b/[^/]+/o$", "objects.insert"),
        ("PUT", r"^/upload/storage/v1/b/[^/]+/o$", "objects.insert bytes"),
        ("GET", r"^/storage/v1/b/[^/]+/o$", "objects.list"),
        ("GET", r"^/storage/v1/b/[^/]+/o/[^/]+$", "objects.get"),
        ("DELETE", r"^/storage/v1/b/[^/]+/o/[^/]+$", "objects.delete"),
    )
)
_UPLOADS = {"start": "files.start", "query": "files.query"}


def method_of(verb: str, target: str, headers: Mapping[str, str]) -> str:
    """Name the method of a request.

    Args:
        verb: Of HTTP.
        target: Path, quoted, and query.
        headers: Of any case.

    Raises:
        LookupError: The request is of no method in the table, which then lacks a line.
    """
    command = headers.get("x-goog-upload-command")
    if command is not None:
        return _UPLOADS.get(command, "files.upload")
    path, _, query = target.partition("?")
    for known, pattern, name in _TABLE:
        found = pattern.search(path) if verb == known else None
        if found is not None:
            return found.expand(name) + (" media" if name == "objects.get" and "alt=media" in query else "")
    message = f"{verb} {path} is no method that the crash tests know"
    raise LookupError(message)
