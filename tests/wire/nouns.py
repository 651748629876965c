"""A result row as a noun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.models import ResultRow
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields


def read_row(line: Mapping[str, Any], backend: Backend, *, keep_response: bool = False) -> ResultRow:
    """Read one row as whoever uses `ResultRow` does."""
    return ResultRow.model_validate(read_fields(line, backend, Reading(keep_response=keep_response)))
