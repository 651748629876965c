"""Keeps Python's garbage collector from stopping the event loop: its full rounds are slow if there are many objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_STEP = 1000
_users = set[int]()
"""Ids of the users that hold so many objects that some were excluded."""


class Growth:
    """Excludes the objects of many waiting triggers from the collector's full rounds, as long as they wait.

    Each full round visits all long-lived objects: with ten thousand triggers, it stops the event loop for 150 ms, again
    and again while they start. Excluded objects are still freed as soon as nothing refers to them.
    """

    def __init__(self) -> None:
        self._next = _STEP

    def reached(self, number: int) -> None:
        """Record how many there are."""
        if number >= self._next:
            self._next = number + _STEP
            _users.add(id(self))
            gc.freeze()

    def over(self) -> None:
        """Record that none are left."""
        if id(self) in _users:
            _users.remove(id(self))
            if not _users:
                gc.unfreeze()


@contextmanager
def settled() -> Iterator[None]:
    """Exclude the objects that the process holds so far from the collector's rounds.

    If Airflow is imported, each full round visits a million long-lived objects and stops the event loop for a tenth of
    a second.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
