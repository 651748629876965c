"""The pilot: a sample of requests that is sent first."""

from __future__ import annotations

import math
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Noun
from airflow_provider_genai_batch.models.settings.approval import check_approval
from airflow_provider_genai_batch.models.tier import Tier


class Pilot(Noun):
    """How many requests are sent first, and how many of them may fail. Each field may be a template.

    Args:
        rows: the size of the pilot: a count (int), or a fraction of all requests (float up to 1.0).
        tier: how they are sent: ``standard`` or ``flex`` as immediate calls, or ``batch`` in a job of their own.
        max_failed: how many of them may fail: a count (int) or a fraction (float); None: the same fraction as
            ``max_failed_rows`` allows for all rows.
        approve_above: USD; if all rows together may cost more, a person is asked before the others are sent. Or an
            `Approval`. Needs Airflow 3.1 and the extra ``prices``.
    """

    rows: Any
    tier: Any = Tier.STANDARD.value
    max_failed: Any = None
    approve_above: Any = None

    def __init__(self, rows: Any, **settings: Any) -> None:
        super().__init__(**{"rows": rows, **settings})

    @classmethod
    def of(cls, value: Any) -> Pilot | None:
        """Read the operator's parameter: a `Pilot`, or only the number."""
        return value if value is None or isinstance(value, cls) else cls(value)

    def size(self, requests: int) -> int:
        """Return how many of these requests are sent first."""
        rows = self.rows
        return min(requests, math.ceil(rows * requests) if isinstance(rows, float) else int(rows))

    def allowed(self, max_failed_rows: float, requests: int) -> float:
        """Return how many of them may fail, as a count or a fraction.

        Args:
            max_failed_rows: the task's own.
            requests: the number of all requests.
        """
        if self.max_failed is not None:
            return float(self.max_failed) if isinstance(self.max_failed, float) else int(self.max_failed)
        if isinstance(max_failed_rows, float):
            return max_failed_rows
        return min(1.0, max_failed_rows / requests)


def check_pilot(_name: str, value: Any) -> None:
    """Refuse an invalid pilot.

    Raises:
        ConfigurationError: the message says what is valid.
    """
    pilot = Pilot.of(value)
    if pilot is None:
        return
    rows, failed = pilot.rows, pilot.max_failed
    if not _is_count(rows, 1) and not (isinstance(rows, float) and 0 < rows <= 1):
        msg = f"pilot is {rows!r} rows; give a count (int above 0) or a fraction of all requests (float up to 1.0)."
        raise ConfigurationError(msg)
    if pilot.tier not in set(Tier):
        msg = f"the tier of a pilot is {', '.join(tier.value for tier in Tier)}, not {pilot.tier!r}."
        raise ConfigurationError(msg)
    if (
        failed is not None
        and not _is_count(failed, 0)
        and not (isinstance(failed, float) and 0 <= failed <= 1)
    ):
        msg = f"max_failed of a pilot is {failed!r}; give a count (int) or a fraction of its rows (float up to 1.0)."
        raise ConfigurationError(msg)
    check_approval(pilot.approve_above)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
