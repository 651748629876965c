"""Threads for slow calls, separate from those in which the API server answers requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """Threads for calls of one kind, so that hanging calls of another kind are not in their way.

    Args:
        kind: part of the threads' names.
        at_once: how many calls run at a time in the whole process.
    """

    def __init__(self, kind: str, at_once: int) -> None:
        self._name, self._places = f"genai-batch-{kind}", threading.Semaphore(at_once)

    def start(self, do: Callable[[], T]) -> Future[T]:
        """Run a function in a thread, as soon as there is a place for it."""

        def later() -> T:
            with self._places:
                return do()

        return _start(later, self._name)

    def start_now(self, do: Callable[[], T]) -> Future[T] | None:
        """Run a function in a thread; None: there is no place for it, and it will not run."""
        if not self._places.acquire(blocking=False):
            return None

        def now() -> T:
            try:
                return do()
            finally:
                self._places.release()

        return _start(now, self._name)


def _start(do: Callable[[], T], name: str) -> Future[T]:
    """Run a function in a daemon thread, for which the end of the process does not wait."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(do())
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            answer.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return answer
