"""What is done to one run: a cell of the matrix."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_genai_batch.emulator import Fault

ROWS = 50
BACKENDS = ("gemini", "vertex")
MODES = ("in_place", "deferred")
SOURCES = ("file", "inline")
JOBS = {"gemini": "batches", "vertex": "batchPredictionJobs"}
"""What Google's methods on jobs begin with."""
UPLOAD = {"gemini": "files.upload", "vertex": "objects.insert bytes"}
PROMPT, SECONDS, LISTS = "", "lists lag 5 s", "two lists lag"
"""How lists lag: not at all, for a time, or, so that it makes no odds how slow the machine is, for so many lists."""
DOWNLOAD = {"gemini": "files.download", "vertex": "objects.get media"}
LANDING = {"in_place": "execute", "deferred": "execute_complete"}
"""Where rows land in an attempt that was not disturbed before."""


@dataclass(frozen=True)
class Injection:
    """One death, dealt by the task's own process when it comes to a step."""

    step: str
    victim: str = "task"
    part: str = "execute"

    def conf(self) -> dict[str, Any]:
        """Return it for a run's configuration."""
        return asdict(self)


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong with a call though nobody dies; the emulator does it."""

    name: str
    method: str
    fault: Fault


@dataclass(frozen=True)
class Cell:
    """One run."""

    backend: str
    mode: str
    injections: tuple[Injection, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    source: str = "file"
    lag: str = ""
    """How the service's lists lag: `PROMPT`, `SECONDS` or `LISTS`."""
    pool: str = ""
    lives: int = 0
    """Deaths beyond those of `injections`, each at a step at which nobody of the pool has died."""
    fine: bool = False
    """In the pool, steps of first and later attempts, of execute and execute_complete are told apart."""
    held: str = ""
    """The job goes on until it is told to end; the phase in which its triggerer or scheduler dies."""

    @property
    def dag_id(self) -> str:
        """The DAG of its run."""
        return f"crash_{self.source}_{self.mode}"

    def conf(self) -> dict[str, Any]:
        """Return what its task's processes have to know."""
        return {
            "injections": [one.conf() for one in self.injections],
            "pool": self.pool,
            "lives": self.lives,
            "fine": self.fine,
            "after_create": bool(self.lag),
        }

    def __str__(self) -> str:
        """Name what it is, without what is done to it."""
        return " ".join(filter(None, (self.backend, self.mode, self.source, self.lag)))


def create(backend: str, phase: str, victim: str = "task") -> Injection:
    """Return a death at a phase of the create call."""
    return Injection(f"{JOBS[backend]}.create: {phase}", victim)
