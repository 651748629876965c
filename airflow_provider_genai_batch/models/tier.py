"""The tiers in which a request is served."""

from __future__ import annotations

from enum import Enum


class Tier(str, Enum):
    """How a request is served and billed."""

    BATCH = "batch"
    """In a batch job, at batch price."""
    FLEX = "flex"
    """In an immediate call, at batch price, if there is capacity."""
    STANDARD = "standard"
    """In an immediate call, at full price."""

    @property
    def at_once(self) -> bool:
        """Whether requests are sent as immediate calls, and not in a job."""
        return self is not Tier.BATCH
