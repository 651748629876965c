"""What an attempt knows of what it did. It becomes a dict at a deferral only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airflow_provider_genai_batch.models.stored import read_stored
from airflow_provider_genai_batch.task.landing.land import Asked


@dataclass
class AttemptState:
    """What an attempt knows of what it did, small enough for a deferral."""

    deadline: float = 0.0
    """Until which a lack of capacity is waited out, in seconds since the epoch; 0: none has been met yet."""
    round: int = 0
    done: list[str] = field(default_factory=list)
    """Jobs of earlier rounds."""
    before: list[str] = field(default_factory=list)
    """Jobs of earlier attempts that are of no use."""
    idle: bool = True
    """All jobs so far are of earlier attempts, and had ended."""
    mine: list[str] = field(default_factory=list)
    """Jobs that this attempt came to, in all rounds."""
    taken_up: list[str] = field(default_factory=list)
    """Those of them that are of an earlier attempt."""
    failed_before: list[str] = field(default_factory=list)
    """Those of these that had failed, but left rows."""
    reached: int = 0
    """The round that this attempt was in before it was deferred."""
    twins: list[str] = field(default_factory=list)
    """Those of `mine` that ended beside another job of the same requests."""
    spent: float = 0.0
    """What jobs of earlier rounds are known to have cost, in USD."""
    strays: list[str] = field(default_factory=list)
    """Those of `mine` that only a list told of."""
    manifest: dict[str, Any] | None = None
    """Of the jobs that were settled last, as JSON; None: no jobs have been settled yet."""


@dataclass(frozen=True)
class Memo:
    """What a deferral hands on; another version of this package may have written it."""

    memory: AttemptState = field(default_factory=AttemptState)
    jobs: list[str] = field(default_factory=list)
    asked: Asked = field(default_factory=Asked)
    fingerprint: str | None = None
    """Of the whole input; None: not known, or there are no jobs of it yet."""
    more: bool = False
    refusals: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return what a trigger can serialise."""
        return asdict(self)

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Memo:
        """Read what a trigger's event brings back."""
        memo = read_stored(cls, event.get("memo"))
        return memo if memo.jobs else replace(memo, jobs=[*event.get("job_names", ())])
