"""The description of this provider package for Airflow."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.hooks.connection_form import BEHAVIOUR, FIELDS

_PACKAGE = "airflow_provider_genai_batch"
_NAME = "Google GenAI Batch"


def get_provider_info() -> dict[str, Any]:
    """Describe the package to Airflow's providers manager.

    There is no ``config``, because connections and parameters configure everything. There are no ``asset-uris``,
    because addresses of rows use the schemes of other providers (``file``, ``gs``, ``s3``, …).
    """
    return {
        "package-name": "airflow-provider-genai-batch",
        "name": _NAME,
        "description": "Batch jobs on the Gemini Developer API and Vertex AI.",
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://ai.google.dev/gemini-api/docs/batch-api",
                "tags": ["google", "gcp", "ai", "generative-ai"],
            }
        ],
        "operators": _modules("operators.genai_batch"),
        "sensors": _modules("sensors.genai_batch"),
        "hooks": _modules("hooks.genai_batch"),
        "triggers": _modules("triggers.genai_batch", "triggers.pause", "triggers.job_events"),
        "connection-types": [
            {
                "connection-type": "genai_batch",
                "hook-class-name": f"{_PACKAGE}.hooks.genai_batch.GenAIBatchHook",
                "hook-name": _NAME,
                "ui-field-behaviour": BEHAVIOUR,
                "conn-fields": FIELDS,
            }
        ],
        "extra-links": [
            f"{_PACKAGE}.links.genai_batch.GenAIBatchJobLink",
            f"{_PACKAGE}.links.genai_batch.GenAIBatchRowsLink",
        ],
        "task-decorators": [
            {"name": "genai_batch", "class-name": f"{_PACKAGE}.decorators.genai_batch.genai_batch_task"}
        ],
        "notifications": [f"{_PACKAGE}.notifications.genai_batch.GenAIBatchNotifier"],
        "cli": [f"{_PACKAGE}.cli.definition.get_genai_batch_cli_commands"],
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": _NAME, "python-modules": [f"{_PACKAGE}.{name}" for name in names]}]
