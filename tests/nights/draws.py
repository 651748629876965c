"""What a night is like, drawn from a seed.

The figures are assumptions: inferred from what users and incidents of 2025 and 2026 tell; nobody publishes them. A row
stands for a thousand, so that the time for asking is that of a real table while a night takes a fraction of a second.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

ROWS = 24
"""Of the table. Each stands for a thousand."""
PACE = 13.0 / 1000
"""Rows a second that the task expects of calls that answer at once."""
HOURS = 6.0
"""From the begin of the run to the moment when its rows are to be ready."""
_STUCK, _SLOW = 0.30, 0.04
_FLEX_GOOD, _FLEX_MIXED = 0.4, 0.4


@dataclass(frozen=True)
class Draw:
    """One night.

    Attributes:
        number: its seed.
        kind: ``good``, ``slow`` or ``stuck``: of the model's batch jobs.
        job_seconds: until the job ends, if it does.
        answered: share of its rows that a stuck job has answered when it is cancelled.
        cancel_looks: looks that still find the job at work after its cancellation.
        stuck_cancel: its cancellation does not end at all.
        flex: share of the time in which the flex tier serves.
        spell: seconds of one spell of serving and shedding.
        pace: rows a second that standard answers.
        standard: share of the time in which standard serves.
        deferrable: the task waits on a triggerer.
        if_stuck: as the user chose.
        deaths: at which of its journal's writes the worker dies, by attempt.
        dies_waiting: at which look a worker that waits dies; 0: it does not.
    """

    number: int
    kind: str
    job_seconds: float
    answered: float
    cancel_looks: int
    stuck_cancel: bool
    flex: float
    spell: float
    pace: float
    standard: float
    deferrable: bool
    if_stuck: str
    deaths: tuple[int, ...]
    dies_waiting: int

    @property
    def has_capacity(self) -> bool:
        """Whether standard can answer what is left in the time that the task keeps back for it."""
        return self.pace >= PACE and self.standard >= 0.9

    @property
    def good(self) -> bool:
        """Whether the job ends in time."""
        return self.kind == "good" and self.job_seconds < (HOURS - 1.5) * 3600


def draw(number: int) -> Draw:
    """Draw a night."""
    dice = random.Random(number)
    kind = "stuck" if (at := dice.random()) < _STUCK else "slow" if at < _STUCK + _SLOW else "good"
    middle, late = (300.0, 1200.0) if kind == "slow" else (8.0, 60.0)
    minutes = middle * math.exp(dice.gauss(0.0, math.log(late / middle) / 1.645))
    flex = dice.random()
    share = 0.95 if flex < _FLEX_GOOD else dice.uniform(0.3, 0.9) if flex < _FLEX_GOOD + _FLEX_MIXED else 0.1
    none = kind == "stuck" and dice.random() < 0.9
    return Draw(
        number=number,
        kind=kind,
        job_seconds=60 * minutes,
        answered=0.0 if none else dice.random(),
        cancel_looks=dice.randint(1, 6),
        stuck_cancel=dice.random() < 0.01,
        flex=share,
        spell=dice.uniform(600, 1800),
        pace=1.5 * PACE * math.exp(dice.gauss(0.0, 0.35)),
        standard=0.5 if share == 0.1 and dice.random() < 0.25 else 0.995,
        deferrable=dice.random() < 0.7,
        if_stuck="pay_twice" if dice.random() < 0.3 else "wait",
        deaths=tuple(dice.randint(1, 3) for _ in range(2)) if dice.random() < 0.3 else (),
        dies_waiting=dice.randint(2, 12) if dice.random() < 0.2 else 0,
    )
