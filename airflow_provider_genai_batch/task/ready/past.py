"""The refusal of a moment that has passed."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_genai_batch.exceptions import ConfigurationError


def past(at: float) -> ConfigurationError:
    """Return it.

    Args:
        at: the moment, in seconds since the epoch.
    """
    return ConfigurationError(
        f"ready_by is {moment(at)}, which has passed, and nothing has been asked of this run. Nothing was sent, and "
        "nothing is billed. For runs that may begin late, such as backfills, let a template leave it empty: "
        "ready_by=\"{{ '06:00' if dag_run.run_type == 'scheduled' else '' }}\"."
    )


def moment(at: float) -> str:
    """Spell a moment.

    Args:
        at: seconds since the epoch.
    """
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")
