"""The words for a job's state, without the prefix each service puts before them."""

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
"""In the order of Vertex AI's enum, so that the place is the number."""

WAITING = frozenset({"UNSPECIFIED", "QUEUED", "PENDING"})
"""Not started yet."""

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})
"""Nothing more will happen."""

WITH_ROWS = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED"})
"""All rows were tried."""


def bare(state: str) -> str:
    """Strip either prefix of a known state; an unknown string stays as it is."""
    for prefix in ("JOB_STATE_", "BATCH_STATE_"):
        if state.startswith(prefix) and state[len(prefix) :] in STATES:
            return state[len(prefix) :]
    return state


def wire(state: str, prefix: str) -> str:
    """Put the service's prefix before a known state; an unknown string is sent as it is."""
    return prefix + state if state in STATES else state
