"""The nouns: what a job, a request, a row and a manifest are. They cannot spell themselves; `wire` does."""

from __future__ import annotations

from airflow_provider_genai_batch.models.answer import Candidate, Citation, Grounding, Logprobs, Media, Part
from airflow_provider_genai_batch.models.approval import Approval, Approved
from airflow_provider_genai_batch.models.checked import Checked
from airflow_provider_genai_batch.models.cost import Cost, ModelCost
from airflow_provider_genai_batch.models.fallback import Fallback
from airflow_provider_genai_batch.models.job import BatchJob, JobCounts, JobOutput, JobProblem, JobState
from airflow_provider_genai_batch.models.manifest import Manifest, RowCounts, Saved
from airflow_provider_genai_batch.models.pilot import Pilot
from airflow_provider_genai_batch.models.plan import Plan, PlannedCost
from airflow_provider_genai_batch.models.ready_by import ReadyBy
from airflow_provider_genai_batch.models.request import BatchRequest
from airflow_provider_genai_batch.models.reuse import Reuse
from airflow_provider_genai_batch.models.row import ResultRow, RowError, RowStatus, Usage
from airflow_provider_genai_batch.models.source import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.sql_source import SqlSource
from airflow_provider_genai_batch.models.table_jobs import TableJobs
from airflow_provider_genai_batch.models.versions import Versions

__all__ = [
    "Approval",
    "Approved",
    "BatchDestination",
    "BatchJob",
    "BatchRequest",
    "BatchSource",
    "Candidate",
    "Checked",
    "Citation",
    "Cost",
    "Fallback",
    "Grounding",
    "JobCounts",
    "JobOutput",
    "JobProblem",
    "JobState",
    "Logprobs",
    "Manifest",
    "Media",
    "ModelCost",
    "Part",
    "Pilot",
    "Plan",
    "PlannedCost",
    "ReadyBy",
    "ResultRow",
    "Reuse",
    "RowCounts",
    "RowError",
    "RowStatus",
    "Saved",
    "SqlSource",
    "TableJobs",
    "Usage",
    "Versions",
]
