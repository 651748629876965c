"""Time, chance, and the diary of one history. A history is made by its number alone."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

BEGIN = 1_800_000_000.0
_TURNS = 8
"""Turns of an event loop in which whatever is ready has run."""


class Died(KeyboardInterrupt):
    """The process is gone. It is of the kind that nothing but a process's end answers to."""


class BrokenPromise(AssertionError):
    """What must hold whatever happens did not; the message is the whole history."""


@dataclass
class World:
    """The machine, the worker on it, and whatever is decided by chance.

    Args:
        number: of the history.

    Attributes:
        now: the true time, which is the service's.
        ahead: seconds by which this worker's clock is ahead of it.
        dies_in: steps until the process at work dies; None: it does not.
        kills_in: the same until a user ends the task.
        serene: nothing goes wrong any more.
    """

    number: int
    now: float = BEGIN
    ahead: float = 0.0
    dies_in: int | None = None
    kills_in: int | None = None
    on_kill: Any = None
    serene: bool = False
    dead: bool = False
    diary: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Seed chance."""
        self.chance = random.Random(self.number)

    # ------------------------------------------------------------ what happens

    def tell(self, what: str) -> None:
        """Write it into the diary."""
        self.diary.append(f"{self.now - BEGIN:9.1f}  {what}")

    def saw(self, what: str) -> None:
        """Count what happened, and write it down."""
        self.seen[what] += 1
        self.tell(what)

    def promise(self, kept: object, what: str) -> None:
        """Fail with the whole history unless a promise is kept."""
        if not kept:
            self.tell(f"BROKEN: {what}")
            lines = "\n".join(self.diary[-400:])
            raise BrokenPromise(f"history {self.number}: {what}\n{lines}")

    def likely(self, probability: float) -> bool:
        """Throw a coin; nothing is likely once all is serene."""
        return not self.serene and self.chance.random() < probability

    def step(self, what: str) -> None:
        """Come to a step of the process at work, at which it may die or be killed.

        Raises:
            Died: it does.
        """
        if self.dead:
            raise Died(what)
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                self.dies_in, self.dead = None, True
                self.saw(f"dies at {what}")
                raise Died(what)
        if self.kills_in is not None and self.on_kill is not None:
            self.kills_in -= 1
            if self.kills_in <= 0:
                self.kills_in = None
                self.saw(f"killed at {what}")
                self.on_kill()

    # ------------------------------------------------------------ the clock of the product

    def time(self) -> float:
        """Return the worker's time of day."""
        return self.now + self.ahead

    def monotonic(self) -> float:
        """Return seconds since the history's begin."""
        return self.now - BEGIN

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.step("a pause")
        self.now += max(0.0, seconds)
        if self.likely(0.01):
            self.ahead = self.chance.choice([-600.0, 400.0, 4 * 86400.0, 0.0])
            self.saw(f"the worker's clock jumps to {self.ahead:+.0f} s")

    async def async_sleep(self, seconds: float) -> None:
        """Let time pass when nothing else can run."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an event, or let so much time pass."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            if event.is_set():
                return True
        self.sleep(seconds)
        return event.is_set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing here moves by itself."""
        yield

    def stamp(self, at: float) -> str:
        """Spell a time as both services do."""
        return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%dT%H:%M:%S.%f}Z"
