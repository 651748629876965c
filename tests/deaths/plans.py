"""Where processes die: at each step that an undisturbed life comes to, and at several one after another."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.deaths.ways import WAYS, Way

_DEEPEST = 45
"""Of the steps at which processes die by chance."""


def plans(steps: Sequence[Sequence[str]], *, every: bool) -> Iterator[list[int]]:
    """Give one death for each step of each process of a life.

    Args:
        steps: that an undisturbed life came to.
        every: also for those between the first and the last step of one name.
    """
    for number, walk in enumerate(steps):
        for place, step in enumerate(walk):
            last = len(walk) - 1 - [*reversed(walk)].index(step)
            if every or place in (walk.index(step), last):
                yield [0] * number + [place + 1]


def by_chance(seed: int, times: int) -> Iterator[tuple[Way, list[int]]]:
    """Give lives with up to three deaths, as many of each way."""
    dice = random.Random(seed)
    for _ in range(times):
        for way in WAYS.values():
            yield way, [dice.randint(1, _DEEPEST) for _ in range(dice.randint(1, 3))]
