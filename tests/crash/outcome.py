"""What became of one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.crash.plan import Cell


@dataclass
class Outcome:
    """What became of one run."""

    cell: Cell
    state: str
    happened: list[str]
    """Injections that really happened, in order: who died or failed, and at which step."""
    found: int
    """How many of them were at steps that the run came upon and nobody of its pool had died at."""
    missed: int
    """Injections that were planned and did not happen."""
    jobs: int
    paid: int
    """Jobs that are live or have answered rows: all of them ask the same for the same task."""
    told: bool
    """Whether the manifest in XCom names the paid job and counts its rows."""
    lost: int
    """Keys of which there is not exactly one row, answered, and rows whose key nobody asked."""
    recovery: float | None
    """Seconds from the last injection to the end of the run."""
    attempts: int
    walk: list[dict[str, Any]] = field(default_factory=list, repr=False)
    log: str = field(default="", repr=False)

    @property
    def duplicates(self) -> int:
        """Jobs that were paid beyond one."""
        return max(0, self.paid - 1)

    @property
    def good(self) -> bool:
        """Whether all that was planned happened, and nothing was paid twice or lost."""
        return self.state == "success" and not self.missed and self.paid == 1 and not self.lost

    def __str__(self) -> str:
        """Describe it in a line."""
        mistold = "" if self.told else ", mistold"
        return (
            f"{self.cell} [{'; '.join(self.happened) or 'nothing'}] -> {self.state}, {self.jobs} jobs, "
            f"{self.duplicates} duplicates, {self.lost} rows lost, {self.missed} missed{mistold}, "
            f"{self.attempts} attempts, {self.recovery or 0:.1f} s"
        )
