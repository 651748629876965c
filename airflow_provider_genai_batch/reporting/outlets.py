"""The manifest in the events of a task's outlets, for DAGs that are scheduled on them. Light to import."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

KEY = "genai_batch"
"""Key in the extra, beside the user's own keys."""
MOST_BYTES = 8 * 1024
"""Most bytes of a manifest, because the scheduler and the UI read the extra with every event."""
LEFT_OUT = ("job_names", "output", "causes")
"""Fields that grow with the number of jobs. Without job names it is not a manifest, so nobody mistakes it for one."""


def add_manifest_to_outlets(context: Context, outlets: Iterable[Any], manifest: Mapping[str, Any]) -> None:
    """Put the manifest into the event of each asset that a task has as an outlet.

    What the user put there stays. For an alias, these are the assets that the user names, with their own extras.

    Args:
        context: Airflow's.
        outlets: of the task.
        manifest: as JSON.
    """
    from airflow.providers.common.compat.sdk import AssetAlias

    events: Any = context.get("outlet_events")
    if events is None:
        return
    extra = _small(manifest)
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            continue
        try:
            events[outlet].extra.setdefault(KEY, extra)
        except (KeyError, TypeError):  # outlets may be other things than assets, which have no events
            log.debug("%r has no event.", outlet)


def _small(manifest: Mapping[str, Any]) -> dict[str, Any]:
    if len(json.dumps(manifest)) <= MOST_BYTES:
        return dict(manifest)
    short = {name: value for name, value in manifest.items() if name not in LEFT_OUT}
    return {**short, "jobs": len(manifest["job_names"])}
