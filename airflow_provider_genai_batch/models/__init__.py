"""The nouns: what a job, a request, a row and a manifest are. `wire` reads and writes them for the services."""

from __future__ import annotations

from airflow_provider_genai_batch.models.answers.candidate import Candidate, Logprobs
from airflow_provider_genai_batch.models.answers.grounding import Citation, Grounding
from airflow_provider_genai_batch.models.answers.parts import Media, Part
from airflow_provider_genai_batch.models.jobs.job import BatchJob, JobCounts, JobOutput, JobProblem, JobState
from airflow_provider_genai_batch.models.manifest.checked import Checked
from airflow_provider_genai_batch.models.manifest.cost import Cost, ModelCost
from airflow_provider_genai_batch.models.manifest.manifest import Manifest, RowCounts, Saved
from airflow_provider_genai_batch.models.manifest.plan import Plan, PlannedCost
from airflow_provider_genai_batch.models.manifest.table_jobs import TableJobs
from airflow_provider_genai_batch.models.manifest.versions import Versions
from airflow_provider_genai_batch.models.request import BatchRequest
from airflow_provider_genai_batch.models.row import ResultRow, RowError, RowStatus, Usage
from airflow_provider_genai_batch.models.settings.approval import Approval, Approved
from airflow_provider_genai_batch.models.settings.fallback import Fallback
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.models.settings.reuse import Reuse
from airflow_provider_genai_batch.models.source import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.sql_source import SqlSource

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
