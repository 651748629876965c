"""The rows of a job by the family of its model."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.vertex.models import CLAUDE, OPEN, family_of
from airflow_provider_genai_batch.emulator.vertex.rows.family import Family, Task
from airflow_provider_genai_batch.emulator.vertex.rows.google import GoogleRows
from airflow_provider_genai_batch.emulator.vertex.rows.partners.anthropic import ClaudeRows
from airflow_provider_genai_batch.emulator.vertex.rows.partners.open_models import OpenRows

_ROWS: dict[str, Callable[[Task], Family]] = {CLAUDE: ClaudeRows, OPEN: OpenRows}


def rows_of(job: Job, at_ns: int, *, features: bool) -> Family:
    """Return the rows of a job, by the family of its model.

    Args:
        job: The job.
        at_ns: When its rows are processed.
        features: Whether partner models may use the features that an organisation must allow.
    """
    return _ROWS.get(family_of(job.model), GoogleRows)(Task(job.model, at_ns, job.script, features))
