"""Deaths that meet many runs at once: of the triggerer, and of the scheduler with its workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_genai_batch.emulator import Fault
from tests.airflow_stack import Process
from tests.crash.outcome import Outcome
from tests.crash.plan import JOBS, Cell
from tests.crash.run import Running
from tests.crash.world import World
from tests.waiting import wait_until

Told = Callable[[Outcome], None]
_PATIENCE = 120.0
TRIGGERER = "triggerer0"
_TRIGGERER, _WATCH = "airflow triggerer", "parent_watch.py"
ABSENT = "none runs when the task defers"
BETWEEN = "between two looks"
LOOKING = "a look is under way"
ENDED = "the job has ended, a look is under way"
EVENT = "the event is sent, not taken"
PHASES = (ABSENT, BETWEEN, LOOKING, ENDED, EVENT)
"""Where runs are when the triggerer is lost."""
CHILD = "its runner process alone"
WAITING = "tasks are deferred"


def lose_triggerer(world: World, cells: Sequence[Cell], told: Told) -> None:
    """Kill the triggerer once, with each run in the phase that its cell holds.

    Args:
        world: Where.
        cells: As many as there are lanes at most; ``held`` is one of `PHASES`.
        told: Called with each outcome.
    """
    placed = [(cell, lane) for cell, lane in zip(cells, world.lanes, strict=False)]
    running = [Running(world, lane, cell) for cell, lane in placed if cell.held != ABSENT]
    for one in running:
        _wait_until_looked_at(one)
    by_phase = {phase: [one for one in running if one.cell.held == phase] for phase in PHASES}
    tickets = [_hold_look(one) for one in (*by_phase[LOOKING], *by_phase[ENDED])]
    for one in by_phase[ENDED]:
        _end(one)
    os.kill(_runner(world).parent, signal.SIGSTOP)  # it takes no event from its runner any more
    for one in by_phase[EVENT]:
        _end(one)
        _wait_for_last_look(one)
    world.airflow.kill(TRIGGERER)
    _note(running, "triggerer")
    for ticket in tickets:
        ticket.release()
    late = [Running(world, lane, cell) for cell, lane in placed if cell.held == ABSENT]
    for one in late:
        _wait_until_deferred(one)
    _note(late, "triggerer")
    world.airflow.start(TRIGGERER)
    for one in (*by_phase[BETWEEN], *by_phase[LOOKING], *late):
        _wait_until_looked_at(one)
        _end(one)
    _finish([*running, *late], told)


def lose_runner(world: World, cells: Iterable[Cell], told: Told) -> None:
    """Kill the triggerer's event loop only; its parent then ends by itself and has to be started again."""
    running = [Running(world, lane, cell) for cell, lane in zip(cells, world.lanes, strict=False)]
    for one in running:
        _wait_until_looked_at(one)
    os.kill(_runner(world).pid, signal.SIGKILL)
    _note(running, "triggerer")
    world.airflow.wait_for_end(TRIGGERER)
    world.airflow.start(TRIGGERER)
    for one in running:
        _end(one)
    _finish(running, told)


def lose_scheduler(world: World, cells: Iterable[Cell], told: Told) -> None:
    """Kill the scheduler and all its workers, with each run at its step or, if its cell is held, deferred."""
    running = [Running(world, lane, cell) for cell, lane in zip(cells, world.lanes, strict=False)]
    for one in running:
        if one.cell.held:
            _wait_until_looked_at(one)
        else:
            wait_until(
                lambda one=one: len(one.deaths) == len(one.cell.injections), "it came to its step", _PATIENCE
            )
    world.airflow.kill("scheduler")
    held = [one for one in running if one.cell.held]
    _note(held, "scheduler")
    for one in held:
        _end(one)
        _wait_for_last_look(one)
    world.airflow.start("scheduler")
    _finish(running, told)


def _finish(running: Sequence[Running], told: Told) -> None:
    with ThreadPoolExecutor(len(running)) as pool:
        for outcome in pool.map(Running.wait, running):
            told(outcome)


def _note(running: Iterable[Running], victim: str) -> None:
    for one in running:
        one.dealt[f"{victim}: {one.cell.held}"] = time.time()


def _wait_until_deferred(one: Running) -> None:
    one.world.client.wait_for_task(one.run, "answer", "deferred", _PATIENCE)


def _wait_until_looked_at(one: Running) -> None:
    _wait_until_deferred(one)
    seen = one.jobs[0]["looks"]
    wait_until(lambda: one.jobs[0]["looks"] > seen, "the triggerer looks at the job", _PATIENCE)


def _hold_look(one: Running):
    ticket = one.lane.emulator.faults.add(f"{JOBS[one.cell.backend]}.get", Fault.hold())
    wait_until(lambda: ticket.wait_held(0.1), "a look is under way", _PATIENCE)
    return ticket


def _end(one: Running) -> None:
    """End the job of a run; one that has ended by itself tells by its outcome that it should not have."""
    for job in one.jobs:
        if job["live"]:
            one.lane.emulator.force(job["name"], "SUCCEEDED")


def _looks(one: Running) -> int:
    return sum(str(entry["method"]).endswith(".get") for entry in one.lane.emulator.requests)


def _wait_for_last_look(one: Running) -> None:
    """Wait until the end of the job has been seen: a look came after it, and then no more."""
    seen, since = _looks(one), time.monotonic()

    def quiet() -> bool:
        nonlocal seen, since
        now = _looks(one)
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > 2.5

    wait_until(quiet, "the triggerer stops looking at a job that ended", _PATIENCE)


def _runner(world: World) -> Process:
    """Find the process with the event loop: a triggerer that another triggerer started."""
    ours = {one.pid: one for one in world.airflow.processes(TRIGGERER) if _TRIGGERER in one.title}
    (runner,) = [
        one for one in ours.values() if _WATCH not in one.title and _WATCH not in ours[one.parent].title
    ]
    return runner
