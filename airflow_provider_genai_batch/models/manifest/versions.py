"""What all requests of a task have in common, by name and digest, never by their text."""

from __future__ import annotations

from airflow_provider_genai_batch.models.answers.sparse import Sparse
from airflow_provider_genai_batch.models.base import Line
from airflow_provider_genai_batch.models.jobs.identity import as_label


class Versions(Sparse):
    """Which prompt, schema and defaults a task uses; fields without a value are left out.

    A digest is of 16 hexadecimal digits. Two that differ are of two versions.
    """

    prompt_name: Line | None = None
    """As the task names its prompt."""
    prompt: str | None = None
    """Digest of the template. None: each request was written elsewhere, with a prompt of its own."""
    response_schema_name: Line | None = None
    """Of the type that answers have."""
    response_schema: str | None = None
    """Digest of the schema of answers."""
    request_defaults: str | None = None
    """Digest of the fields that every request has, without the schema."""

    def labels(self) -> dict[str, str]:
        """Return labels of a job on Vertex AI. A digest begins with a letter there, to be text in a filter."""
        found = {
            "genai_batch_prompt": self.prompt and f"p{self.prompt}",
            "genai_batch_schema": self.response_schema and f"s{self.response_schema}",
            "genai_batch_prompt_name": self.prompt_name and as_label(self.prompt_name),
        }
        return {name: value for name, value in found.items() if value}
