"""One request as users write it."""

from __future__ import annotations

import base64
from enum import Enum
from typing import Any

from pydantic import BaseModel, field_serializer

from airflow_provider_genai_batch.models.base import Noun


class BatchRequest(Noun):
    """One line in.

    ``contents`` and ``config`` take what ``google.genai`` takes for one request (a prompt string, Content
    dicts or objects; ``GenerateContentConfig`` or ``EmbedContentConfig`` fields in either spelling).
    """

    contents: Any
    key: str | None = None
    """Identifies the request and its row; unique in the job. None: a key is generated."""
    config: Any = None
    metadata: dict[str, str] | None = None
    """Gemini inline only: echoed with the row."""

    @field_serializer("contents", "config")
    def _plain(self, value: Any) -> Any:
        return _as_json(value)


def _as_json(value: Any) -> Any:
    """Return google-genai objects as JSON values, for XComs; both forms are read in the same way."""
    if isinstance(value, BaseModel):
        value = {name: item for name, item in value if item is not None}
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.value if isinstance(value, Enum) else value
