"""Names and digests of what all requests of a task have in common. The texts are never stored here."""

from __future__ import annotations

from airflow_provider_genai_batch.models.answers.sparse import Sparse
from airflow_provider_genai_batch.models.base import Line
from airflow_provider_genai_batch.models.jobs.identity import as_label


class Versions(Sparse):
    """Which prompt, schema and defaults a task uses; fields without a value are left out.

    A digest has 16 hexadecimal digits. Different digests mean different versions.
    """

    prompt_name: Line | None = None
    """The name that the task gives to its prompt."""
    prompt: str | None = None
    """Digest of the template. None: the requests were not made from a template, and each has its own prompt."""
    response_schema_name: Line | None = None
    """Name of the type of the answers."""
    response_schema: str | None = None
    """Digest of the schema of the answers."""
    request_defaults: str | None = None
    """Digest of the fields that every request has, without the schema."""

    def labels(self) -> dict[str, str]:
        """Return labels for a job on Vertex AI. A letter precedes each digest, so that a filter takes it as text."""
        found = {
            "genai_batch_prompt": self.prompt and f"p{self.prompt}",
            "genai_batch_schema": self.response_schema and f"s{self.response_schema}",
            "genai_batch_prompt_name": self.prompt_name and as_label(self.prompt_name),
        }
        return {name: value for name, value in found.items() if value}
