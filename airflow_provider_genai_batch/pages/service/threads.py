"""Threads for slow calls, separate from those in which the API server answers requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

_AT_ONCE = threading.Semaphore(8)
"""How many calls run at a time in the whole process; further calls wait in their threads."""


def start(do: Callable[[], T], name: str) -> Future[T]:
    """Run a function in a daemon thread, for which the end of the process does not wait."""
    answer: Future[T] = Future()

    def run() -> None:
        with _AT_ONCE:
            try:
                answer.set_result(do())
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                answer.set_exception(error)

    threading.Thread(target=run, name=f"genai-batch-{name}", daemon=True).start()
    return answer
