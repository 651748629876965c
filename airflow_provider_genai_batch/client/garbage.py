"""Python's garbage collector in a process that lives for one thing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
