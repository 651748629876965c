"""Rows as a service answers them."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.answers.results import read_fields


def answered(key: str | None, text: str = "ü", **response: Any) -> PlainRow:
    answer = {
        "candidates": [{"content": {"parts": [{"text": text}]}}],
        "usageMetadata": {"promptTokenCount": 1},
    }
    return read_fields({"key": key, "response": {**answer, **response}}, Backend.GEMINI)


def refused(key: str) -> PlainRow:
    return read_fields({"key": key, "error": {"code": 13, "message": "broken"}}, Backend.GEMINI)
