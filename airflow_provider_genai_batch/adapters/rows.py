"""Rows of this package, converted into results of common.ai."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO, Literal

from airflow.providers.common.ai.batch.base import ExtractedOutput, RawResultItem

from airflow_provider_genai_batch.adapters.requests import index_of
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import CallError, JobCancelled, JobExpired
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.job import Verdict
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.task.files.files import spool
from airflow_provider_genai_batch.task.jobs.settler import JobSettler
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.wire.schemas.output_type import read_back

log = logging.getLogger(__name__)

_ALL_MAY_FAIL = 1.0
_STATUSES: dict[str, Literal["success", "errored", "cancelled"]] = {
    "ok": "success",
    "invalid": "success",  # its output turns out to be absent
    "error": "errored",
    "cancelled": "cancelled",
}


def landed(client: GenAIBatchClient, name: str) -> Iterator[RawResultItem]:
    """Download all rows of an ended job to this machine's disk, and return an iterator that reads them from there.

    A download that is cut off starts again from the beginning, and common.ai has by then already written the rows that
    it received. So nothing is returned before the download is complete.

    Raises:
        JobError: the rows cannot be read now; the message says what became of the job.
    """
    with ExitStack() as stack:
        rows = stack.enter_context(spool())  # it has no name, so nothing is left of it if the process dies
        landing = Landing(stream=rows, max_failed_rows=_ALL_MAY_FAIL)
        try:
            JobSettler(client).settle_last(Ending(Why.ENDED, {}), [name], landing)
        except (JobCancelled, JobExpired) as ended:
            log.warning(
                "%s", ended
            )  # these are no failures to common.ai: it counts the rows that are missing
        return _read(rows, stack.pop_all())


def was_cut_short(client: GenAIBatchClient, job: BatchJob) -> bool:
    """Return whether a job that succeeded was cancelled while it ran: on the Gemini API only its rows show that."""
    if job.backend is not Backend.GEMINI or job.verdict is not Verdict.ROWS or not job.counts.failed:
        return False
    try:
        return any(row["status"] == "cancelled" for row in client.plain_rows(job))
    except CallError as error:
        log.warning("Cannot tell yet whether job %s was cancelled: %s", job.name, error)
        return False


def output_of(row: dict[str, Any], output_type: Any) -> ExtractedOutput:
    """Return the output of an answered row.

    Args:
        row: the row, as this package lands it.
        output_type: the type of answers that the task requested; None: text. If the service answered with the text of
            one of its values, the result has the value.
    """
    text = row["text"]
    if row["status"] != "ok" or text is None:
        return ExtractedOutput(kind="absent", text=text)
    if output_type is None:
        return ExtractedOutput(kind="text", text=text)
    return ExtractedOutput(kind="json_text", text=read_back(output_type, text))


def _read(rows: BinaryIO, kept: ExitStack) -> Iterator[RawResultItem]:
    with kept:
        rows.seek(0)
        for line in rows:
            row: dict[str, Any] = json.loads(line)
            if row["status"] == "missing":
                continue  # common.ai finds missing rows by itself
            index = index_of(row["key"])
            if index is None:
                log.warning("Dropped a row whose key, %s, matches no request.", printable(str(row["key"])))
                continue
            yield _item(row, index)


def _item(row: dict[str, Any], index: int) -> RawResultItem:
    error = row["error"] or {}
    status, usage = _STATUSES[row["status"]], row["usage"]
    return RawResultItem(
        custom_id=row["key"],
        index=index,
        provider_status=status,
        model=row["model_version"],
        usage=usage
        and {
            "input_tokens": usage["input"] + usage.get("tool_use", 0),
            "output_tokens": usage["output"] + usage["thoughts"],
            "cached_tokens": usage["cached"],
            "thoughts_tokens": usage["thoughts"],
        },
        # A blocked prompt has no finish reason, so the block reason is used instead.
        finish_reason=printable(
            row["finish_reason"] or (error.get("status") if status == "success" else None) or ""
        )
        or None,
        error=None if status == "success" else _error(error, status),
        raw=row,
    )


def _error(error: dict[str, Any], status: str) -> dict[str, Any]:
    code = error.get("status") or error.get("code")
    return {
        "type": "provider_error" if status == "errored" else status,
        "message": printable(error.get("message") or status),
        "provider_code": None if code is None else printable(str(code)),
        "stage": "provider",
    }
