"""One request as users write it."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.models.base import Noun


class BatchRequest(Noun):
    """One line in.

    ``contents`` and ``config`` take what ``google.genai`` takes for one request (a prompt string, Content
    dicts or objects; ``GenerateContentConfig`` or ``EmbedContentConfig`` fields in either spelling).
    """

    contents: Any
    key: str | None = None
    """Joins the row that comes back; unique in the job. None: one is stamped."""
    config: Any = None
    metadata: dict[str, str] | None = None
    """Gemini inline only: echoed with the row."""
