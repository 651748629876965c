"""Work for all lanes at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial

from tests.crash.outcome import Outcome
from tests.crash.plan import Cell
from tests.crash.run import Running
from tests.crash.world import Lane, World

_TRIES = 3
_AT_ONCE = 2
"""Runs of one exploration: when one of them finds nothing, the others were for nothing too."""
Told = Callable[[Outcome], None]
_Run = Callable[[World, Lane], Outcome]


class Explorer:
    """Runs cells of one kind until one of them comes upon no step at which nobody has died."""

    def __init__(self, cell: Cell) -> None:
        """Begin with nothing explored."""
        self.exhausted, self._cell, self._under_way = False, cell, 0

    @property
    def open(self) -> bool:
        """Whether one more run may find something."""
        return not self.exhausted and self._under_way < _AT_ONCE

    def begin(self) -> _Run:
        """Return the next run."""
        self._under_way += 1
        return partial(_run, cell=self._cell)

    def tell(self, outcome: Outcome) -> None:
        """Take an outcome in."""
        self._under_way -= 1
        if not outcome.found:
            self.exhausted = True


class _Chosen:
    """Runs each of the cells that were chosen once."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._left = deque(cells)

    @property
    def open(self) -> bool:
        return bool(self._left)

    def begin(self) -> _Run:
        return partial(_run_until_it_happens, cell=self._left.popleft())

    def tell(self, outcome: Outcome) -> None:
        """All has been said."""


def run_all(world: World, told: Told, *, explored: Iterable[Cell] = (), chosen: Iterable[Cell] = ()) -> None:
    """Run cells, those that are explored and those that are chosen side by side.

    Args:
        world: Where.
        told: Called with each outcome.
        explored: One of each kind, which is run again and again until it has nothing left to die at.
        chosen: Each is run once.
    """
    work: deque[Explorer | _Chosen] = deque([*map(Explorer, explored), _Chosen(chosen)])
    free = list(world.lanes)
    running: dict[Future[Outcome], tuple[Lane, Explorer | _Chosen]] = {}
    with ThreadPoolExecutor(len(world.lanes)) as pool:
        try:
            while True:
                while free and (one := _next(work)):
                    lane = free.pop()
                    running[pool.submit(one.begin(), world, lane)] = lane, one
                if not running:
                    return
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    lane, one = running.pop(done)
                    free.append(lane)
                    one.tell(done.result())
                    told(done.result())
        except BaseException:  # also Ctrl-C: those that have not begun are not waited for
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _next(work: deque[Explorer | _Chosen]) -> Explorer | _Chosen | None:
    """Return one that has something to run, in turn."""
    for _ in range(len(work)):
        work.rotate(-1)
        if work[-1].open:
            return work[-1]
    return None


def _run_until_it_happens(world: World, lane: Lane, cell: Cell) -> Outcome:
    """Run a cell again whose injection did not come: Airflow may have begun another attempt of its own accord."""
    for _ in range(_TRIES - 1):
        outcome = _run(world, lane, cell)
        if not outcome.missed:
            return outcome
    return _run(world, lane, cell)


def _run(world: World, lane: Lane, cell: Cell) -> Outcome:
    return Running(world, lane, cell).wait()
