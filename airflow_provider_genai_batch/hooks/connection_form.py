"""The form of a connection, which Airflow can show without importing the hook."""

from __future__ import annotations

from typing import Any


def _field(label: str, description: str = "", **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


FIELDS: dict[str, dict[str, Any]] = {
    "backend": _field(
        "Service",
        "Default: Vertex AI if a project is set, else the Gemini API.",
        enum=[None, "gemini", "vertex"],
        values_display={"null": "Default", "gemini": "Gemini Developer API", "vertex": "Vertex AI"},
    ),
    "project": _field("Project", "Google Cloud project. Required on Vertex AI."),
    "location": _field("Location", "Vertex AI location, for example us-central1. Default: global."),
    "key_path": _field("Key path", "Path of a service account key (JSON) on the workers and triggerers."),
    "keyfile_dict": _field("Key JSON", "The service account key itself (JSON).", format="password"),
    "key_secret_name": _field("Key secret", "Name of the Secret Manager secret that holds the key."),
    "key_secret_project_id": _field(
        "Key secret's project", "Default: the project of the default credentials."
    ),
    "credential_config_file": _field(
        "Credential configuration",
        "Its path or its JSON, for example of workload identity.",
        format="password",
    ),
    "impersonation_chain": _field(
        "Impersonation chain", "Service accounts, comma-separated. Jobs run as the last one."
    ),
    "quota_project": _field("Quota project", "Project whose quota is used."),
    "scopes": _field("Scopes", "OAuth scopes, comma-separated. Default: those of the service."),
    "api_version": _field("API version", "Default: v1beta on the Gemini API, v1 on Vertex AI."),
    "staging_uri": _field("Staging", "gs://bucket/prefix/ where inputs for Vertex AI are staged."),
    "max_enqueued_tokens": _field(
        "Most enqueued tokens", "Of jobs that have not ended: a number, or JSON with numbers by model."
    ),
    "max_cost_per_day": _field(
        "Most USD a day",
        "What jobs that tasks create in a day (UTC) may cost together. Tasks that may cost more fail before they pay.",
    ),
    "storage_endpoint": _field("Cloud Storage endpoint", "Base URL, for an emulator or a private endpoint."),
    "bigquery_endpoint": _field("BigQuery endpoint", "Base URL, for an emulator or a private endpoint."),
}
"""The fields in the extra of a connection of type ``genai_batch``."""

BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "login"],
    # Errors, the documentation and the rest of Airflow call these fields Password and Host.
    "relabeling": {"password": "Password (Gemini API key)", "host": "Host (base URL override)"},
    "placeholders": {
        "host": "https://…, an emulator, a private endpoint or a proxy",
        "port": "443, where the test button asks for one",
    },
}
