"""The refusal of a deadline that has passed."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_genai_batch.exceptions import ConfigurationError


def past(at: float) -> ConfigurationError:
    """Return the error.

    Args:
        at: the deadline, in seconds since the epoch.
    """
    return ConfigurationError(
        f"ready_by is {moment(at)}, which has passed, and this run has not submitted anything. Nothing was sent, and "
        "nothing is billed. For runs that may begin late, such as backfills, let a template leave it empty: "
        "ready_by=\"{{ '06:00' if dag_run.run_type == 'scheduled' else '' }}\"."
    )


def moment(at: float) -> str:
    """Return a moment as text.

    Args:
        at: seconds since the epoch.
    """
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")
