"""Addresses of Google's own pages. They consist only of names and contain no secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import BatchJob

CONSOLE = "https://console.cloud.google.com"
AI_STUDIO = "https://aistudio.google.com/batches"
"""The list of the signed-in user's batches; Google documents no page for a single batch."""
_JOB = re.compile(r"projects/[^/]+/locations/([^/]+)/batchPredictionJobs/([^/]+)")


def job_page(jobs: Sequence[BatchJob], project: str | None) -> str:
    """Return the page of a job, or for several jobs the list that contains them; empty for none.

    Source of the addresses for Vertex AI: apache-airflow-providers-google, ``google.cloud.links.vertex_ai``.

    Args:
        jobs: jobs of one service.
        project: the project of the connection.
    """
    if not jobs:
        return ""
    if jobs[0].backend.value == "gemini":
        return AI_STUDIO
    found = _JOB.fullmatch(jobs[0].name) if len(jobs) == 1 else None
    one = (
        f"/locations/{quote(found[1])}/batch-predictions/{quote(found[2])}" if found else "/batch-predictions"
    )
    return f"{CONSOLE}/vertex-ai{one}?project={quote(project or '')}"


def rows_page(address: str | None, project: str | None, *, is_object: bool = False) -> str:
    """Return the page of rows in Cloud Storage or BigQuery; empty for other places.

    Source: the same provider's links, ``google.common.links.storage`` and ``google.cloud.links.bigquery``.

    Args:
        address: ``gs://bucket/object``, ``gs://bucket/prefix/`` or ``bq://project.dataset.table``. The connection in
            front of an ``@`` is no part of the page.
        project: the project of the connection.
        is_object: whether the address is one of an object, not of a prefix.
    """
    scheme, _, place = (address or "").partition("://")
    of_project = f"project={quote(project or '')}"
    if scheme == "gs":
        bucket, slash, key = place.partition("/")
        place = f"{bucket.rpartition('@')[2]}{slash}{key}"
        if is_object:
            return f"{CONSOLE}/storage/browser/_details/{quote(place)};tab=live_object?{of_project}"
        return f"{CONSOLE}/storage/browser/{quote(place)};tab=objects?{of_project}"
    owner, dataset, table = [*place.split("."), "", ""][:3]
    if scheme == "bq" and dataset:
        page = f"page=table&t={quote(table)}" if table else "page=dataset"
        return f"{CONSOLE}/bigquery?referrer=search&{of_project}&d={quote(dataset)}&p={quote(owner)}&{page}"
    return ""
