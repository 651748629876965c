"""The summary at the end of a task's log."""

from __future__ import annotations

from airflow_provider_genai_batch.client.job_params import JobParams
from airflow_provider_genai_batch.flows.outcome.messages import shown
from airflow_provider_genai_batch.models import JobState, Manifest, RowCounts
from airflow_provider_genai_batch.models.manifest.manifest import Saved
from airflow_provider_genai_batch.models.row import ROW_SCHEMA
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter

_INLINE = "inline"


def describe_unasked(
    order: JobParams, tally: RowCounter, results_uri: str | None, media_uri: str | None
) -> Manifest:
    """Write the manifest of rows that needed no job."""
    return Manifest(
        backend=order.backend,
        model=order.model,
        state=JobState.SUCCEEDED.value,
        job_names=(),
        results_uri=results_uri,
        results_digest=tally.digest,
        media_uri=media_uri,
        counts=tally.counts,
        row_schema=ROW_SCHEMA,
        causes=tally.commonest,
        checks=tally.checked,
        finish_reasons=tally.finish_reasons,
        saved=None if tally.saved is None else Saved(usage=tally.saved),
    )


def rows_summary(manifest: Manifest) -> str:
    """Return text: the rows by status, why some failed, and where they are.

    Args:
        manifest: manifest of ended jobs.
    """
    said = "not counted" if manifest.counts is None else _counted(manifest.counts)
    if manifest.causes:
        said += f" ({'; '.join(f'{number} x {cause}' for cause, number in manifest.causes.items())})"
    first, *others = [manifest.results_uri] if manifest.results_uri else manifest.output or (_INLINE,)
    if first == _INLINE:
        return f"{said}."
    return f"{said}; they are in {first}{f' and {len(others)} more' if others else ''}."


def _counted(counts: RowCounts) -> str:
    share = f" ({100 * counts.ok / counts.total:.1f} %)" if counts.failed else ""
    return ", ".join(filter(None, [f"{counts.ok} of {counts.total} ok{share}", shown(counts)]))
