"""Real time, but what happens at a pause of the product is the test's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_genai_batch import clock


class _Pauses(clock.SystemClock):
    def __init__(self, at_pause: Callable[[float], None]) -> None:
        self._at_pause = at_pause

    def sleep(self, seconds: float) -> None:
        self._at_pause(seconds)

    async def async_sleep(self, seconds: float) -> None:
        self._at_pause(seconds)


@contextmanager
def at_pauses(do: Callable[[float], None]) -> Iterator[None]:
    """Do something instead of every pause; it is given the seconds."""
    with clock.replaced(_Pauses(do)):
        yield
