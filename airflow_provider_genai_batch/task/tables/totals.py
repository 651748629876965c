"""What each job has answered, counted in BigQuery: rows, tokens, and the tier of immediate calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.models import BatchJob, Usage
from airflow_provider_genai_batch.models.jobs.job_totals import JobTotals
from airflow_provider_genai_batch.models.jobs.journal import Writer, is_journaled
from airflow_provider_genai_batch.results.counting.row_counter import UNKNOWN_TIER
from airflow_provider_genai_batch.wire.answers.results import tier_of
from airflow_provider_genai_batch.wire.tables.answers import TOKENS, Answers
from airflow_provider_genai_batch.wire.tables.journaled import kept_of

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient


def shares_of(used: Sequence[Mapping[str, Any]], jobs: Sequence[BatchJob]) -> dict[str, JobTotals]:
    """Return the totals of each job, by its name.

    Args:
        used: the rows of `wire.tables.answers.usage`.
        jobs: the jobs; those without a table are left out.
    """
    named = [job.name for job in jobs if job.output.bigquery_table]
    shares = {}
    for row in used:
        number, answered = int(row["number"]), int(row["answered"])
        rows, name = Counter({"ok": answered, "error": number - answered}), named[int(row["job"])]
        parts = ("", "long_", "full_", "full_long_") if is_journaled(name) else ("", "long_")
        sums = [Usage(**{kind: int(row[f"{part}{kind}"] or 0) for kind in TOKENS}) for part in parts]
        shares[name] = JobTotals(rows, *sums)
    return shares


def tiers_of(
    client: GenAIBatchClient,
    answers: Answers,
    jobs: Sequence[BatchJob],
    location: str,
    labels: Mapping[str, str],
) -> Counter[str]:
    """Count the answers of immediate calls that stand, by the tier that served them.

    Args:
        client: the client of the task's connection.
        answers: the answers of all jobs.
        jobs: the jobs, in the same order.
        location: where the tables are.
        labels: the labels of DAG, task and run.
    """
    tables = [*zip(jobs, answers.tables, strict=True)]
    calls = [(Writer.of(job.name).tier, one) for job, one in tables if is_journaled(job.name)]
    found = Counter[str]()
    if not calls:
        return found
    others = [table for job, (table, _) in tables if not is_journaled(job.name)]
    sql = kept_of(replace(answers, tables=[one for _, one in calls]), others)
    for row in client.queries.ask(sql, location, labels):
        response = {} if row["refused"] else {"usageMetadata": {"trafficType": row["traffic"]}}
        tier = tier_of(response, calls[int(row["job"])][0])
        found[tier or UNKNOWN_TIER] += int(row["number"])
    return found
