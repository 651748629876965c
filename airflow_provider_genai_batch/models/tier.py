"""The tiers in which a request is served."""

from __future__ import annotations

from enum import Enum


class Tier(str, Enum):
    """How a request is served and billed."""

    BATCH = "batch"
    """In a batch job, at batch price."""
    FLEX = "flex"
    """At once, at batch price, when there is room."""
    STANDARD = "standard"
    """At once, at full price."""

    @property
    def at_once(self) -> bool:
        """Whether it is asked by calls that answer at once, and not in a job."""
        return self is not Tier.BATCH
