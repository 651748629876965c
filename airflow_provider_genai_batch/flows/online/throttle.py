"""When the next call may be sent: one throttle for all calls, an adaptive concurrency, and a token window once known.

The number of simultaneous calls grows by one per success up to the first refusal, and by one per round of successes
later. It shrinks at most once per epoch: refusals of calls that were sent before the last cut say nothing new (as in
TCP). A per-minute quota renews at the start of each clock minute, and its refusal says when: then calls for the whole
quota are sent as fast as possible, and no more until the next minute. This takes hardly longer than necessary, with a
fiftieth of the refusals of 64 callers that back off independently.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_genai_batch.flows.online.refusal import Meaning, Refusal
from airflow_provider_genai_batch.flows.retry import backoff

_CUT = 0.7
_BUSY_WEIGHT, _OFTEN_BUSY = 0.05, 0.2
"""Threshold for the moving share of calls refused for lack of capacity; single refusals concern only their row."""
_GATE_JITTER = 2.0
LEAST_WAIT = 0.001
"""Seconds. A wait that is smaller than the rounding of the clock would never end."""
_LONG_TURN = 0.007
"""CPU seconds of one turn of the event loop: with more calls in progress, turns get longer and nothing gets faster."""
_LEAST_ROOM, _ROOM_A_TURN = 8.0, 0.25
_WINDOW, _SHARE = 60.0, 0.95
"""Seconds of a token window, and the fraction of its limit to use, because tokens are only estimates before an
answer."""


@dataclass(frozen=True)
class Ticket:
    """One call in progress."""

    epoch: int
    tokens: float
    """Estimated input tokens."""


class Throttle:
    """Decides by the answers and refusals so far. Times are seconds by the caller's clock.

    Args:
        start: simultaneous calls at the beginning.
        most: most simultaneous calls.
        jitter: returns a number from 0 to 1, which spreads callers that wait for the same moment.
    """

    def __init__(
        self,
        start: int = 8,
        most: int = 128,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.most = most
        self.in_flight = 0
        self._limit = float(min(start, most))
        self._room = float(most)
        self._jitter = jitter
        self._epoch = 0
        self._shut_until = -math.inf
        self._dry = 0
        self._busy = 0.0
        self._budget: float | None = None
        """Tokens per window; None until a refusal has named a limit."""
        self._left = 0.0
        self._next_window = 0.0

    @property
    def limit(self) -> int:
        """Most simultaneous calls for now."""
        return max(1, int(min(self._limit, self._room)))

    def wait(self, now: float) -> float:
        """Return the seconds until a call may be sent; infinity while an answer has to come first."""
        if self.in_flight >= self.limit:
            return math.inf
        self._open_window(now)
        spent = self._budget is not None and self._left <= 0
        pause = max(self._shut_until, self._next_window if spent else 0.0) - now
        return max(pause, LEAST_WAIT) if pause > 0 else 0.0

    def sent(self, tokens: float, now: float) -> Ticket:
        """Record a call with so many input tokens."""
        self.in_flight += 1
        self._open_window(now)
        self._left -= tokens
        return Ticket(self._epoch, tokens)

    def answered(self, ticket: Ticket, tokens: float | None = None) -> None:
        """Record an answer, and the input tokens that it reports."""
        self.in_flight -= 1
        self._dry = 0
        self._busy *= 1 - _BUSY_WEIGHT
        if tokens is not None:
            self._left += ticket.tokens - tokens
        self._limit = min(float(self.most), self._limit + (1 / self._limit if self._epoch else 1.0))

    def refused(self, ticket: Ticket, refusal: Refusal, now: float) -> None:
        """Record a refusal; one that is about the row itself says nothing about capacity."""
        self.in_flight -= 1
        if refusal.meaning is Meaning.MINUTE:
            self._shut(now + (refusal.wait or 0.0) + self._jitter() * _GATE_JITTER)
            if refusal.minute_tokens is not None:
                self._budget = _SHARE * refusal.minute_tokens
            self._left, self._next_window = 0.0, self._shut_until
            self._cut(ticket)
        elif refusal.meaning is Meaning.UNCLEAR:
            if self._cut(ticket):
                self._dry += 1
                self._shut(now + backoff(self._dry))
        elif refusal.meaning is Meaning.BUSY:
            self._busy += _BUSY_WEIGHT * (1 - self._busy)
            if refusal.wait is not None:
                self._shut(now + refusal.wait + self._jitter() * _GATE_JITTER)
            if self._busy > _OFTEN_BUSY and self._cut(ticket):
                self._busy = 0.0

    def turned(self, seconds: float) -> None:
        """Record the CPU time of one turn of the caller's event loop; fewer calls are allowed if turns get long."""
        if seconds > _LONG_TURN:
            if _LEAST_ROOM < self.in_flight <= self._room:  # the limit was in use
                self._room = max(_LEAST_ROOM, self.in_flight * _CUT)
        else:
            self._room = min(float(self.most), self._room + _ROOM_A_TURN)

    def _shut(self, until: float) -> None:
        self._shut_until = max(self._shut_until, until)

    def _cut(self, ticket: Ticket) -> bool:
        """Allow fewer simultaneous calls, unless the call was sent before the last cut."""
        if ticket.epoch != self._epoch:
            return False
        self._epoch += 1
        self._limit = max(1.0, self._limit * _CUT)
        return True

    def _open_window(self, now: float) -> None:
        if self._budget is not None and now >= self._next_window:
            self._left = self._budget
            self._next_window += _WINDOW * (1 + (now - self._next_window) // _WINDOW)
