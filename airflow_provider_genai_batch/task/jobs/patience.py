"""How long output of an ended job is waited for that is not readable yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.flows.outcome.collect import READ_PATIENCE


@dataclass(frozen=True)
class Patience:
    """How output of an ended job is waited for that is not readable yet."""

    seconds: float = field(default_factory=lambda: READ_PATIENCE)
    """All in all."""
    since: float | None = None
    """When it was asked for first, in seconds since the epoch; None: it was not yet."""
    pause: Callable[[float], None] = clock.sleep
    """Waits for so many seconds."""
