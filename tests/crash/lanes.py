"""Work for all lanes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue

from tests.crash.outcome import Outcome
from tests.crash.plan import Cell
from tests.crash.run import Running
from tests.crash.world import Lane, World

_TRIES = 3
Told = Callable[[Outcome], None]


class Explorer:
    """Runs cells of one kind until one of them comes upon no step at which nobody has died."""

    def __init__(self, cell: Cell) -> None:
        """Begin with nothing explored."""
        self.cell = cell
        self.exhausted = False

    def tell(self, outcome: Outcome) -> None:
        """Take an outcome in."""
        if not outcome.found:
            self.exhausted = True


def explore(world: World, cells: Iterable[Cell], told: Told) -> None:
    """Run cells with lives again and again, in turn, until each has nothing left to die at.

    Args:
        world: Where.
        cells: One of each kind.
        told: Called with each outcome.
    """
    explorers = [Explorer(cell) for cell in cells]
    with ThreadPoolExecutor(len(world.lanes)) as pool:
        free = list(world.lanes)
        running: dict[object, tuple[Lane, Explorer]] = {}
        while running or not all(one.exhausted for one in explorers):
            while free and (open_ones := [one for one in explorers if not one.exhausted]):
                explorer, lane = open_ones[0], free.pop()
                explorers.append(explorers.pop(explorers.index(explorer)))
                running[pool.submit(_run, world, lane, explorer.cell)] = lane, explorer
            done = next(as_completed(running))
            lane, explorer = running.pop(done)
            free.append(lane)
            explorer.tell(done.result())
            told(done.result())


def run_all(world: World, cells: Iterable[Cell], told: Told) -> None:
    """Run each cell.

    Args:
        world: Where.
        cells: What.
        told: Called with each outcome.
    """
    lanes: SimpleQueue[Lane] = SimpleQueue()
    for lane in world.lanes:
        lanes.put(lane)

    def run(cell: Cell) -> Outcome:
        lane = lanes.get()
        try:
            return _run_until_it_happens(world, lane, cell)
        finally:
            lanes.put(lane)

    with ThreadPoolExecutor(len(world.lanes)) as pool:
        try:
            for done in as_completed([pool.submit(run, cell) for cell in cells]):
                told(done.result())
        except BaseException:  # also Ctrl-C: those that have not begun are not waited for
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run_until_it_happens(world: World, lane: Lane, cell: Cell) -> Outcome:
    """Run a cell again whose injection did not come: Airflow may have begun another attempt of its own accord."""
    for _ in range(_TRIES - 1):
        outcome = _run(world, lane, cell)
        if not outcome.missed:
            return outcome
    return _run(world, lane, cell)


def _run(world: World, lane: Lane, cell: Cell) -> Outcome:
    return Running(world, lane, cell).wait()
