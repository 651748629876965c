"""The form of a connection, for Airflow to show without importing the hook."""

from __future__ import annotations

from typing import Any


def _field(label: str, description: str = "", **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


FIELDS: dict[str, dict[str, Any]] = {
    "backend": _field(
        "Service",
        "By default Vertex AI if there is a project, else the Gemini API.",
        enum=[None, "gemini", "vertex"],
        values_display={"null": "Default", "gemini": "Gemini Developer API", "vertex": "Vertex AI"},
    ),
    "project": _field("Project", "Google Cloud project. Needed on Vertex AI."),
    "location": _field("Location", "Of Vertex AI, such as us-central1. By default global."),
    "key_path": _field("Key path", "Of a service-account key (JSON) where tasks run."),
    "keyfile_dict": _field("Key JSON", "The service-account key itself.", format="password"),
    "key_secret_name": _field("Key secret", "Name of a secret in Secret Manager that is the key."),
    "key_secret_project_id": _field("Key secret's project", "By default that of the default credentials."),
    "credential_config_file": _field(
        "Credential configuration", "Path or JSON of one, such as of workload identity.", format="password"
    ),
    "impersonation_chain": _field("Impersonation chain", "Accounts with commas; the last one is acted as."),
    "quota_project": _field("Quota project", "Project that quota is counted against."),
    "scopes": _field("Scopes", "OAuth scopes with commas. By default the service's own."),
    "api_version": _field("API version", "By default v1beta on the Gemini API, v1 on Vertex AI."),
    "staging_uri": _field("Staging", "gs://bucket/prefix/ for inputs that have to be staged on Vertex AI."),
    "storage_endpoint": _field("Cloud Storage endpoint", "Base URL, for an emulator or a private endpoint."),
    "bigquery_endpoint": _field("BigQuery endpoint", "Base URL, for an emulator or a private endpoint."),
}
"""What stands in the extra of a connection of type ``genai_batch``."""

BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "login"],
    "relabeling": {"password": "Gemini API key", "host": "Base URL override"},
    "placeholders": {"host": "https://…, an emulator, a private endpoint or a proxy"},
}
