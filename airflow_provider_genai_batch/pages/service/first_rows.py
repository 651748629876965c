"""Reads the first rows of a task through its connection: a few rows from a bounded part of the file.

The manifest is an XCom, which users with few rights may write. The API server may read more than they may, so it reads
only what the task itself was given: its `results_uri`, its own jobs, and jobs that its parameters name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_genai_batch.exceptions import GenAIBatchError, ManifestError
from airflow_provider_genai_batch.hooks.genai_batch import open_client
from airflow_provider_genai_batch.models import BatchJob, Manifest
from airflow_provider_genai_batch.models.jobs.identity import key_of_job
from airflow_provider_genai_batch.pages.service.row_sources import rows_of
from airflow_provider_genai_batch.pages.service.threads import Threads
from airflow_provider_genai_batch.pages.service.trouble import trouble_of
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.task.settings.job_names import job_names

MOST = 50
"""The most rows that are shown."""
_TEXT = 600
"""The most characters of an answer that are shown."""
_PATIENCE = 25.0
_THREADS = Threads("rows", at_once=4)


@dataclass(frozen=True)
class ShownRow:
    """A row, formatted for people."""

    key: str
    status: str
    answer: str
    finish_reason: str
    tokens: int | None


@dataclass(frozen=True)
class FirstRows:
    """Rows, or why there are none.

    Attributes:
        rows: the rows with the wanted status, in the order of the file.
        scanned: how many rows were searched.
        whole: whether these were all rows.
        trouble: why the rows cannot be shown; empty: they can.
    """

    rows: tuple[ShownRow, ...] = ()
    scanned: int = 0
    whole: bool = False
    trouble: str = ""


def first_rows(key: str, given: Mapping[str, Any], manifest: Manifest, status: str) -> FirstRows:
    """Return the first rows of a task.

    Args:
        key: the short key of the task instance.
        given: its rendered parameters.
        manifest: its manifest.
        status: the wanted status of the rows; empty: any.
    """
    if refusal := _refusal(given, manifest):
        return FirstRows(trouble=refusal)
    read = _THREADS.start_now(lambda: _read(key, given, manifest, status))
    if read is None:
        return FirstRows(trouble="The page is busy with rows of other tasks. Open it again in a moment.")
    try:
        return read.result(_PATIENCE)
    except NoAnswer:
        return FirstRows(trouble=f"The storage has not answered within {_PATIENCE:.0f} s.")
    except (GenAIBatchError, AirflowNotFoundException) as error:
        return FirstRows(trouble=trouble_of(error))
    except Exception as error:  # noqa: BLE001 - of a file that has no rows, a secrets backend or a storage's library
        return FirstRows(trouble=f"The file cannot be read as rows ({trouble_of(error)}).")


def _refusal(given: Mapping[str, Any], manifest: Manifest) -> str:
    """Return why rows are not read; empty: they may be."""
    uri = manifest.results_uri
    if uri is None:
        return ""
    if uri.startswith("bq://"):
        return "The rows are in BigQuery: read them with SQL."
    if uri == printable(str(given.get("results_uri"))):
        return ""
    return (
        "The manifest names another place than results_uri of the task, as Airflow keeps it (where it is masked if it "
        "contains a secret). Nothing was read."
    )


def _read(key: str, given: Mapping[str, Any], manifest: Manifest, status: str) -> FirstRows:
    found: list[ShownRow] = []
    scanned = 0
    named = _named(given)

    def is_own(name: str, job: BatchJob) -> bool:
        return name in named or key_of_job(job) == key

    with (
        open_client(str(given.get("conn_id") or "")) as client,
        closing(rows_of(client, manifest, is_own)) as rows,
    ):
        for row in rows:
            if row is None or len(found) == MOST:
                return FirstRows((*found,), scanned)
            scanned += 1
            if not status or row.get("status") == status:
                found.append(_shown(row))
    return FirstRows((*found,), scanned, whole=True)


def _named(given: Mapping[str, Any]) -> Collection[str]:
    """Return the jobs that the parameters of a task name; those of tasks that submit jobs name none."""
    try:
        return job_names(given["job_names"])
    except (KeyError, ManifestError):
        return ()


def _shown(row: Mapping[str, Any]) -> ShownRow:
    error, usage = row.get("error"), row.get("usage")
    said = row.get("text")
    if said is None and row.get("output") is not None:
        said = json.dumps(row["output"], ensure_ascii=False, default=str)
    if isinstance(error, Mapping):
        said = f"{error.get('code') or ''} {error.get('message') or error.get('status') or ''}".strip()
    tokens = usage.get("total") if isinstance(usage, Mapping) else None
    key = row.get("key")
    return ShownRow(
        printable("" if key is None else str(key), 200),
        str(row.get("status")),
        printable(str(said or ""), _TEXT),
        printable(str(row.get("finish_reason") or ""), 100),
        tokens if isinstance(tokens, int) else None,
    )
