"""Writes the manifest of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_genai_batch.models import BatchJob, Checked, Manifest, RowCounts, Usage
from airflow_provider_genai_batch.models.jobs.identity import round_of, rounds_of
from airflow_provider_genai_batch.models.jobs.job import Verdict
from airflow_provider_genai_batch.models.jobs.journal import is_journaled
from airflow_provider_genai_batch.models.manifest.manifest import Saved
from airflow_provider_genai_batch.models.row import ROW_SCHEMA


def describe(  # noqa: PLR0913 - one a field; keyword-only
    jobs: Sequence[BatchJob],
    *,
    counts: RowCounts | None = None,
    usage: Usage | None = None,
    results_uri: str | None = None,
    media_uri: str | None = None,
    digest: str | None = None,
    causes: Mapping[str, int] | None = None,
    finish_reasons: Mapping[str, int] | None = None,
    dropped: Mapping[str, int] | None = None,
    tiers: Mapping[str, int] | None = None,
    rows_of: Sequence[BatchJob] | None = None,
    checked: Sequence[Checked] = (),
    saved: Usage | None = None,
) -> Manifest:
    """Write the manifest of jobs, ended or not.

    Args:
        jobs: all jobs.
        counts: final rows by status.
        usage: tokens.
        results_uri: where rows landed.
        media_uri: folder of their pictures and sound.
        digest: digest of the file in which they landed.
        causes: causes of failed rows.
        finish_reasons: answers by finish reason.
        dropped: parts of answers that are in no row, by kind.
        tiers: rows by the tier that served them.
        rows_of: the jobs with the final rows; None: all.
        checked: results of the checks of all rows.
        saved: tokens of reused answers; None: the task reuses none.
    """
    first = jobs[0]
    behind = min(jobs, key=lambda job: (job.done, job.verdict is Verdict.ROWS))
    times = [[getattr(job, name) for job in jobs] for name in ("create_time", "start_time", "end_time")]
    created, started, ended = ([t for t in column if t is not None] for column in times)
    return Manifest(
        backend=first.backend,
        model=first.model,
        state=behind.state.value,
        job_names=tuple(job.name for job in jobs if not is_journaled(job.name)),
        display_name=first.display_name,
        source=_address(first),
        output=tuple(place for job in (jobs if rows_of is None else rows_of) if (place := job.output.place)),
        results_uri=results_uri,
        results_digest=digest,
        media_uri=media_uri,
        counts=counts,
        row_schema=ROW_SCHEMA,
        finish_reasons=dict(finish_reasons or {}),
        dropped=dict(dropped or {}),
        tiers=dict(tiers or {}),
        causes=dict(causes or {}),
        checks=tuple(checked),
        usage=usage,
        saved=None if saved is None else Saved(usage=saved),
        create_time=min(created, default=None),
        start_time=min(started, default=None),
        end_time=max(ended, default=None) if len(ended) == len(jobs) else None,
        rounds=rounds_of(round_of(job.display_name) for job in jobs),
    )


def _address(job: BatchJob) -> str:
    source = job.source
    if source is None:
        return "inline"
    return source.file_name or source.bigquery_uri or ",".join(source.gcs_uri)
