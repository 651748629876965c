"""What Google's clients and this package's connections need in order to talk to the emulator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def emulated_google(
    gemini: Mapping[str, Any], vertex: Mapping[str, Any], *, storage: str, bigquery: str, project: str
) -> dict[str, str]:
    """Build environment variables for Airflow.

    Args:
        gemini: Fields of the connection ``genai_batch_default``.
        vertex: Fields of the connection ``genai_batch_vertex``.
        storage: Address of Cloud Storage.
        bigquery: Address of BigQuery.
        project: The project of all of them.
    """
    google = {
        "conn_type": "google_cloud_platform",
        "extra": {"is_anonymous": True, "project": project, "gcs.endpoint": storage},
    }
    return {
        "AIRFLOW_CONN_GENAI_BATCH_DEFAULT": json.dumps(gemini),
        "AIRFLOW_CONN_GENAI_BATCH_VERTEX": json.dumps(vertex),
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(google),
        "AIRFLOW_VAR_GENAI_BATCH_PROJECT": project,
        "STORAGE_EMULATOR_HOST": storage,
        "BIGQUERY_EMULATOR_HOST": bigquery,
    }
