"""The matrix: all of it, and a part that covers every step and every victim in minutes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from tests.crash.cells import connections, explorations, hardships, orphans, supervisors, troubles
from tests.crash.groups import CHILD, PHASES, WAITING, lose_runner, lose_scheduler, lose_triggerer
from tests.crash.lanes import run_all
from tests.crash.outcome import Outcome
from tests.crash.plan import (
    BACKENDS,
    DOWNLOAD,
    JOBS,
    LANDING,
    MODES,
    PROMPT,
    SECONDS,
    UPLOAD,
    Cell,
    Injection,
)
from tests.crash.world import World

LANES = 12
"""Runs at a time: what one death of a scheduler or triggerer can meet."""


class Matrix:
    """Runs cells and keeps what became of them."""

    def __init__(self, world: World, *, verbose: bool = False) -> None:
        """Begin.

        Args:
            world: Where.
            verbose: Say what becomes of each.
        """
        self.world = world
        self.outcomes: list[Outcome] = []
        self.unfinished: list[str] = []
        self._verbose = verbose
        self._began = time.monotonic()

    @property
    def bad(self) -> list[Outcome]:
        """The outcomes that should not be."""
        return [one for one in self.outcomes if not one.good]

    @property
    def injections(self) -> int:
        """How many really happened."""
        return sum(len(one.happened) for one in self.outcomes)

    @property
    def steps(self) -> set[str]:
        """Steps at which a task's process died."""
        return {event.partition("task: ")[2] for one in self.outcomes for event in one.happened} - {""}

    def run_all_of_it(self) -> None:
        """Run the whole matrix."""
        kinds = {
            "the triggerer dies": self._triggerers,
            "the triggerer's runner process dies": self._runners,
            "the scheduler dies": self._schedulers,
            "supervisors, orphans, connections, troubles": self._chosen,
            "tasks die at every step they reach": self._explorations,
        }
        self.unfinished = [*kinds]
        for name, run in kinds.items():
            run()
            self.unfinished.remove(name)

    def run_a_part(self) -> None:
        """Run a part in which each step, victim, phase and trouble occurs, on each service and in each mode."""
        chosen = [*cover([*supervisors(), *orphans()]), *cover(connections()), *cover(troubles())]
        run_all(self.world, self._told, explored=hardships(), chosen=chosen)
        lose_triggerer(self.world, triggerer_cells(PHASES, rounds=1), self._told)
        for cells in self._filled([*deferred_cells(WAITING), *cover(scheduler_cells())]):
            lose_scheduler(self.world, cells, self._told)

    def _triggerers(self) -> None:
        for cells in self._filled(triggerer_cells(PHASES)):
            lose_triggerer(self.world, cells, self._told)

    def _runners(self) -> None:
        for cells in self._filled(deferred_cells(CHILD) * 6):
            lose_runner(self.world, cells, self._told)

    def _schedulers(self) -> None:
        for cells in self._filled([*scheduler_cells(), *deferred_cells(WAITING) * 4]):
            lose_scheduler(self.world, cells, self._told)

    def _chosen(self) -> None:
        chosen = [*supervisors(), *orphans(), *connections(), *troubles()]
        run_all(self.world, self._told, chosen=chosen)

    def _explorations(self) -> None:
        run_all(self.world, self._told, explored=explorations())

    def _filled(self, cells: Sequence[Cell]) -> Iterator[list[Cell]]:
        size = len(self.world.lanes)
        for start in range(0, len(cells), size):
            yield list(cells[start : start + size])

    def _told(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if self._verbose:
            seconds = time.monotonic() - self._began
            sys.stderr.write(f"{seconds:5.0f} s {self.injections:5} {outcome}\n")
        if not outcome.good:
            sys.stderr.write(f"{outcome.log}\n")


def triggerer_cells(phases: Iterable[str], rounds: int = 4) -> list[Cell]:
    """Return cells whose triggerer is lost, phases next to each other so that one kill meets them all."""
    return [
        Cell(backend, "deferred", held=phase)
        for backend, _, phase in product(BACKENDS, range(rounds), phases)
    ]


def deferred_cells(held: str) -> list[Cell]:
    """Return cells that wait deferred until something is killed."""
    return [Cell(backend, "deferred", held=held) for backend in BACKENDS]


def scheduler_cells() -> list[Cell]:
    """Return cells that stand at a step when the scheduler and all workers die."""
    found = []
    for backend, mode in product(BACKENDS, MODES):
        landing = LANDING[mode]
        steps = [
            ("execute", f"{UPLOAD[backend]}: half sent"),
            ("execute", f"{JOBS[backend]}.create: not sent"),
            ("execute", f"{JOBS[backend]}.create: sent, reply not read"),
            ("execute", f"{JOBS[backend]}.create: reply read"),
            (landing, f"{DOWNLOAD[backend]}: half read"),
            (landing, "rows: written, not published"),
            (landing, "rows: published"),
        ]
        if mode == "deferred":
            steps += [("execute_complete", "execute_complete: begins")]
        found += [
            Cell(backend, mode, (Injection(step, "scheduler", part),), lag=lag)
            for (part, step), lag in product(steps, (PROMPT, SECONDS))
            if not lag or ".create" in step
        ]
    return found


def cover(cells: Sequence[Cell]) -> list[Cell]:
    """Choose few cells in which everything occurs: each victim on each service in each mode, each moment, each lag."""
    chosen: list[Cell] = []
    missing = set().union(*map(_features, cells))
    while missing:
        chosen.append(max(cells, key=lambda cell: len(_features(cell) & missing)))
        missing -= _features(chosen[-1])
    return chosen


def _features(cell: Cell) -> set[tuple[str, ...]]:
    events = [f"{one.victim}: {one.step}" for one in cell.injections]
    events += [f"service: {one.name}" for one in cell.troubles] or [cell.held]
    found = {(cell.backend, cell.lag)}
    for event in filter(None, events):
        victim, _, what = event.partition(": ")
        # The services call the same moment differently.
        found |= {(victim, cell.backend, cell.mode), (what.rpartition(".")[2],)}
    return found
