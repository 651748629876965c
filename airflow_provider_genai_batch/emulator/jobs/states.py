"""The names of job states, without the prefix that each service adds."""

from __future__ import annotations

STATES = (
    "UNSPECIFIED",
    "QUEUED",
    "PENDING",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "CANCELLING",
    "CANCELLED",
    "PAUSED",
    "EXPIRED",
    "UPDATING",
    "PARTIALLY_SUCCEEDED",
)
"""In the order of Vertex AI's enum, so the index is the number."""

WAITING = frozenset({"UNSPECIFIED", "QUEUED", "PENDING"})
"""States of jobs that have not started."""

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})
"""States of jobs that have ended."""

WITH_ROWS = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED"})
"""States of jobs in which all rows were tried."""


def bare(state: str) -> str:
    """Remove either prefix from a known state; an unknown string does not change."""
    for prefix in ("JOB_STATE_", "BATCH_STATE_"):
        if state.startswith(prefix) and state[len(prefix) :] in STATES:
            return state[len(prefix) :]
    return state


def wire(state: str, prefix: str) -> str:
    """Add the service's prefix to a known state; an unknown string is sent unchanged."""
    return prefix + state if state in STATES else state
