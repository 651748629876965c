"""The tiers of calls that answer at once."""

from __future__ import annotations

from enum import Enum


class Tier(str, Enum):
    """How a call that answers at once is served and billed."""

    FLEX = "flex"
    """At batch price, when there is room."""
    STANDARD = "standard"
    """At full price."""
