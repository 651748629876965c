"""Runs triggers as a triggerer does, all on one event loop; a process of its own, which is measured from outside.

Arguments: whose triggers, how many, the service's address, the poll interval in seconds. It says ``ready`` when all
code is in memory, starts the triggers when it is told to, says ``started``, and at the end how long the loop was busy
at a stretch.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import selectors
import sys
import threading
import time
from typing import Any, TextIO

from tests.benchmarks.looks.jobs import ENDED
from tests.benchmarks.looks.triggers import Make, maker

_AT_ONCE = 50
"""Triggers that are started before those that run get their turn: as many as a triggerer takes at a time."""


class BusyTimes(selectors.EpollSelector):
    """Notes for how long the loop did not come to wait for anything: for so long nothing else could run.

    A coroutine that beats would say much the same, but miss what falls between its beats, and cost more than a few
    triggers do. Time for which other processes had the cores is left out.

    Attributes:
        longest: By the second (of the monotonic clock) in which it ended: the longest stretch, in seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.longest: dict[int, float] = {}
        self._of_thread = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._since = self._own_time()

    def select(self, timeout: float | None = None) -> Any:
        """Wait, and note for how long it was not done."""
        busy, second = self._own_time() - self._since, int(time.monotonic())
        if busy > self.longest.get(second, 0.001):
            self.longest[second] = busy
        found = super().select(timeout)
        self._since = self._own_time()
        return found

    def _own_time(self) -> float:
        """Return a clock that stands still while this thread could run but has no core."""
        return time.monotonic() - int(os.pread(self._of_thread, 64, 0).split()[1]) / 1e9


class _Orders:
    """What comes over standard input, from whoever measures; without whom there is nothing to do."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        sys.stdin.readline()
        self.go.set()
        sys.stdin.readline()
        os._exit(0)


def main(who: str, count: int, address: str, interval: int) -> None:
    """Run."""
    # What a package prints or logs goes nowhere: how a triggerer writes logs is not the package's doing.
    say = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    orders, busy = _Orders(), BusyTimes()
    loop = asyncio.SelectorEventLoop(busy)
    asyncio.set_event_loop(loop)
    make, succeeded = maker(who, address, interval)
    assert succeeded(loop.run_until_complete(_fire(make(ENDED))))
    gc.collect()
    say.write("ready\n")
    orders.go.wait()
    good = sum(map(succeeded, loop.run_until_complete(_watch(make, count, say))))
    say.write(json.dumps({"succeeded": good, "busy": busy.longest}) + "\n")
    threading.Event().wait()  # until standard input ends


async def _watch(make: Make, count: int, say: TextIO) -> list[Any]:
    tasks = []
    for number in range(1, count + 1):
        tasks.append(asyncio.create_task(_fire(make(number))))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    say.write("started\n")
    return await asyncio.gather(*tasks)


async def _fire(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("it did not fire")


if __name__ == "__main__":
    _, whose, many, url, seconds = sys.argv
    main(whose, int(many), url, int(seconds))
