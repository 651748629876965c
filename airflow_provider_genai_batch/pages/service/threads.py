"""Threads for what may take long, beside those in which the API server answers everybody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

_AT_ONCE = threading.Semaphore(8)
"""Of the whole process; what comes beyond waits in its thread."""


def start(do: Callable[[], T], name: str) -> Future[T]:
    """Do something in a thread that the end of the process does not wait for."""
    answer: Future[T] = Future()

    def run() -> None:
        with _AT_ONCE:
            try:
                answer.set_result(do())
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it
                answer.set_exception(error)

    threading.Thread(target=run, name=f"genai-batch-{name}", daemon=True).start()
    return answer
