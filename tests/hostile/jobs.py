"""Jobs as the service has them, whatever it shows: when they run, how they end, which rows they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LIVE = ("PENDING", "RUNNING")
ENDED = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED")


@dataclass
class Job:
    """One job.

    Attributes:
        place: the project and location, or the Gemini API, that it is in.
        by: the attempt that created it; None: it is a stranger's.
        good, bad: keys that it answers, and that fail, should it come to its fate.
        lags: seconds from the end until each of its shards can be read.
        shown: when lists show it.
        appears: when it can be read by its name.
    """

    name: str
    place: tuple[str, ...]
    by: int | None
    display_name: str
    labels: dict[str, str]
    keys: list[str]
    model: str
    created: float
    starts: float
    ends: float
    fate: str
    good: set[str]
    bad: set[str]
    lags: tuple[float, ...]
    shown: float
    appears: float
    directory: str = ""
    cancelled: float | None = None
    cancel_takes: float = 20.0
    deleted: float | None = None
    twin: bool = False
    double: dict[str, str] = field(default_factory=dict)
    """Keys with a second line, and which line comes first."""
    resource: dict[str, Any] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The identity that ends its display name."""
        return self.display_name.rpartition(" ")[2]

    def end(self) -> float:
        """Return when it ends."""
        return self.ends if self.cancelled is None else min(self.ends, self.cancelled + self.cancel_takes)

    def state(self, now: float) -> str:
        """Return its state at a time."""
        if now >= self.end():
            return self.fate if self.cancelled is None or self.ends <= self.cancelled else "CANCELLED"
        if self.cancelled is not None and now >= self.cancelled:
            return "CANCELLING"
        return "PENDING" if now < self.starts else "RUNNING"

    def live(self, now: float) -> bool:
        """Whether it bills, or will."""
        return (self.deleted is None or now < self.deleted) and self.state(now) in LIVE

    def answered(self, now: float) -> set[str]:
        """Return the keys that are answered well, and paid for."""
        share = 1.0
        if self.state(now) in ("CANCELLED", "CANCELLING") and self.cancelled is not None:
            span = max(1.0, self.ends - self.starts)
            share = min(1.0, max(0.0, (self.cancelled - self.starts) / span))
        elif now < self.end():
            share = min(1.0, max(0.0, (now - self.starts) / max(1.0, self.ends - self.starts)))
        wanted = [key for key in self.keys if key in self.good]
        return set(wanted[: int(len(wanted) * share + 1e-9)])

    def shards(self, now: float) -> list[list[str]]:
        """Return the keys of each shard that can be read."""
        if self.state(now) not in ENDED:
            return []
        parts = [self.keys[n :: len(self.lags)] for n in range(len(self.lags))]
        return [part for part, lag in zip(parts, self.lags, strict=True) if now >= self.end() + lag]

    def readable(self, now: float) -> set[str]:
        """Return the keys whose good rows can be read."""
        if self.deleted is not None and now >= self.deleted:
            return set()
        return {key for part in self.shards(now) for key in part} & self.answered(now)
