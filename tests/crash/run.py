"""One cell: its run is started, dies as planned, and is judged by what the services and the disk hold."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator import JobScript, Lifecycle
from tests.airflow_stack import DagRun
from tests.crash.outcome import Outcome
from tests.crash.plan import (
    LISTS,
    PROMPT,
    ROWS,
    SECONDS,
    Cell,
)
from tests.crash.steps import marks, walked
from tests.crash.world import Lane, World
from tests.waiting import wait_until

_NUMBERS = itertools.count(1)
_LONGEST = 600.0
"""Seconds, on a machine that is busy with other things: a run with four deaths takes about 20 on a quiet one."""
_LAGS: dict[str, Any] = {PROMPT: {}, SECONDS: {"list_lag_seconds": 5.0}, LISTS: {"list_lag": 2}}
_PAID = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED", "EXPIRED"})


class Running:
    """A cell on a lane, from its start to its outcome."""

    def __init__(self, world: World, lane: Lane, cell: Cell) -> None:
        """Start its run."""
        self.world, self.lane, self.cell = world, lane, cell
        self.name = f"cell-{next(_NUMBERS):04}"
        self.dealt: dict[str, float] = {}
        """What the harness itself has dealt to it, and when."""
        self._before = len(lane.emulator.jobs)
        self._results = world.folder / "rows" / f"{self.name}.jsonl"
        self._scripted()
        self._tickets = [lane.emulator.faults.add(one.method, one.fault) for one in cell.troubles]
        self.run: DagRun = world.client.start(cell.dag_id, self.name, self._conf())

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Its jobs, as the service has them."""
        return self.lane.emulator.jobs[self._before :]

    @property
    def deaths(self) -> list[dict[str, Any]]:
        """What its own processes have dealt so far."""
        return marks(self.world.marks, self.name)

    def wait(self) -> Outcome:
        """Wait for the end of its run and judge it."""
        state = self.world.runs.wait(self.run, _LONGEST)
        ended, deaths = time.time(), self.deaths
        for death in deaths:
            # An orphan may go on after its run: what it does counts too.
            wait_until(lambda pid=death["pid"]: _is_gone(pid), f"{death} is over", _LONGEST)
        jobs, paid = self.jobs, _paid(self.jobs)
        task = self.world.client.task(self.run, "answer")
        happened = [f"{one['victim']}: {one['step']}" for one in deaths]
        happened += [
            f"service: {trouble.name}"
            for trouble, ticket in zip(self.cell.troubles, self._tickets, strict=True)
            if not ticket.left
        ]
        happened += list(self.dealt)
        times = [*(one["time"] for one in deaths), *self.dealt.values()]
        outcome = Outcome(
            cell=self.cell,
            state=state,
            happened=happened,
            found=sum(one["found"] for one in deaths),
            missed=self._missed(deaths),
            jobs=len(jobs),
            paid=len(paid),
            told=state == "success" and self._told(paid),
            lost=self._lost(),
            recovery=ended - max(times) if times else None,
            attempts=int(task["try_number"]),
            walk=walked(self.world.marks, self.name),
        )
        outcome.log = "" if outcome.good else self._explain(outcome)
        self.lane.emulator.faults.clear()
        return outcome

    def _scripted(self) -> None:
        # A look is a get only, so that looks are spent where jobs are waited for.
        life = Lifecycle.stuck("RUNNING") if self.cell.held else Lifecycle(looks=3, list_counts=False)
        script = JobScript(lifecycle=life, **_LAGS[self.cell.lag])
        self.lane.emulator.script(script, self.cell.backend)

    def _conf(self) -> dict[str, Any]:
        return {
            "cell": self.name,
            "marks": str(self.world.marks),
            "source": str(self.world.source),
            "results": str(self._results),
            "connection": f"{self.lane.name}_{self.cell.backend}",
            **self.cell.conf(),
        }

    def _missed(self, deaths: Sequence[dict[str, Any]]) -> int:
        """Count what was planned and did not happen."""
        planned = sum(not one["found"] for one in deaths)
        return len(self.cell.injections) - planned + sum(ticket.left > 0 for ticket in self._tickets)

    def _lost(self) -> int:
        """Count keys of which there is not exactly one row, answered, and rows with a key that nobody asked."""
        rows = _rows(self._results)
        answered = Counter(row["key"] for row in rows if row["status"] == "ok")
        keys = _keys(self.cell)
        return sum(answered[key] != 1 for key in keys) + sum(row["key"] not in keys for row in rows)

    def _told(self, paid: Sequence[str]) -> bool:
        """Whether the manifest in XCom names the paid job and counts its rows."""
        manifest = self.world.client.xcom(self.run, "answer")
        return manifest["job_names"] == paid and manifest["counts"]["ok"] == ROWS

    def _explain(self, outcome: Outcome) -> str:
        lines = [self.name, *(json.dumps(job) for job in self.jobs)]
        lines += [f"attempt {one['attempt']}, {one['part']}: {one['step']}" for one in outcome.walk]
        for attempt in range(1, outcome.attempts + 1):
            events = self.world.client.log_events(self.run, "answer", attempt)
            lines += [f"--- log of attempt {attempt}", *(json.dumps(event) for event in events)]
        return "\n".join(lines)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _paid(jobs: Sequence[dict[str, Any]]) -> list[str]:
    """Name the jobs that are live or have answered rows."""
    return [job["name"] for job in jobs if job["live"] or job["state"] in _PAID]


def _keys(cell: Cell) -> set[str]:
    return {f"r{row:08}" if cell.source == "inline" else f"text-{row:02}" for row in range(ROWS)}


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
