"""What Airflow asks a provider package about itself."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Describe the package to Airflow's providers manager."""
    return {
        "package-name": "airflow-provider-genai-batch",
        "name": "Google GenAI Batch",
        "description": "Batch jobs on the Gemini Developer API and Vertex AI.",
        "connection-types": [
            {
                "connection-type": "genai_batch",
                "hook-class-name": "airflow_provider_genai_batch.hooks.genai_batch.GenAIBatchHook",
            }
        ],
        "task-decorators": [
            {
                "name": "genai_batch",
                "class-name": "airflow_provider_genai_batch.decorators.genai_batch.genai_batch_task",
            }
        ],
        "cli": ["airflow_provider_genai_batch.cli.definition.get_genai_batch_cli_commands"],
    }
