"""Operators for batch jobs on the Gemini API and Vertex AI."""

from __future__ import annotations

from airflow_provider_genai_batch.operators.existing_jobs import (
    GenAIBatchCancelOperator,
    GenAIBatchDeleteOperator,
    GenAIBatchResultsOperator,
)
from airflow_provider_genai_batch.operators.group import genai_batch_group
from airflow_provider_genai_batch.operators.parts import GenAIBatchMergeOperator, GenAIBatchSplitOperator
from airflow_provider_genai_batch.operators.run import GenAIBatchOperator

__all__ = [
    "GenAIBatchCancelOperator",
    "GenAIBatchDeleteOperator",
    "GenAIBatchMergeOperator",
    "GenAIBatchOperator",
    "GenAIBatchResultsOperator",
    "GenAIBatchSplitOperator",
    "genai_batch_group",
]
