"""How long to wait for the output of an ended job that is not readable yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.flows.outcome.collect import READ_PATIENCE


@dataclass(frozen=True)
class Patience:
    """How to wait for the output of an ended job that is not readable yet."""

    seconds: float = field(default_factory=lambda: READ_PATIENCE)
    """Seconds in all."""
    since: float | None = None
    """When the first try was, in seconds since the epoch; None: there was none yet."""
    pause: Callable[[float], None] = clock.sleep
    """Waits so many seconds."""
