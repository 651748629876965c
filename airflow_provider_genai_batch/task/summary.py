"""The summary at the end of a task's log."""

from __future__ import annotations

from airflow_provider_genai_batch.flows.outcome.messages import shown
from airflow_provider_genai_batch.models import Manifest, RowCounts

_INLINE = "inline"


def rows_summary(manifest: Manifest) -> str:
    """Tell what became of the rows, why some failed, and where they are.

    Args:
        manifest: of jobs that ended.
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
