"""The manifest of a failed attempt, as an XCom for callbacks and downstream tasks. Light to import."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.exceptions import JobError
from airflow_provider_genai_batch.printable import printable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

FAILED_MANIFEST = "manifest"
"""The key of the XCom."""


def keep_manifest(context: Context, error: JobError) -> None:
    """Store the manifest of a failure, if it has one. An error here does not hide the failure."""
    if error.manifest is None:
        return
    try:
        context["ti"].xcom_push(key=FAILED_MANIFEST, value={**error.manifest})
    except Exception as trouble:  # noqa: BLE001 - each XCom backend has errors of its own
        log.warning("The manifest could not be stored as an XCom: %s", printable(str(trouble)))
