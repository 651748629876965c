"""Operators for batch jobs on the Gemini API and Vertex AI."""

from __future__ import annotations

from airflow_provider_genai_batch.operators.ended import (
    GenAIBatchCancelOperator,
    GenAIBatchDeleteOperator,
    GenAIBatchResultsOperator,
)
from airflow_provider_genai_batch.operators.submit import GenAIBatchOperator

__all__ = [
    "GenAIBatchCancelOperator",
    "GenAIBatchDeleteOperator",
    "GenAIBatchOperator",
    "GenAIBatchResultsOperator",
]
