"""Python's garbage collector, whose full rounds stop an event loop where much is held."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_STEP = 1000
_users = set[int]()
"""Those who hold so much that some of it was left out."""


class Growth:
    """Leaves what many waiting triggers hold out of the collector's full rounds, for as long as they wait.

    Each full round looks at all that stays: with ten thousand triggers it stops the event loop for 150 ms, again and
    again while they start. What is left out is freed all the same when nobody refers to it any more.
    """

    def __init__(self) -> None:
        self._next = _STEP

    def reached(self, number: int) -> None:
        """Note how many there are."""
        if number >= self._next:
            self._next = number + _STEP
            _users.add(id(self))
            gc.freeze()

    def over(self) -> None:
        """Note that there are none any more."""
        if id(self) in _users:
            _users.remove(id(self))
            if not _users:
                gc.unfreeze()


@contextmanager
def settled() -> Iterator[None]:
    """Leave what the process holds so far out of the collector's rounds.

    Where Airflow is imported, each full round looks at a million objects that stay, and an event loop stands still for
    a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
