"""How often and how long one row is tried."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_genai_batch.flows.online.refusal import Meaning, Refusal
from airflow_provider_genai_batch.flows.retry import backoff


@dataclass(frozen=True)
class RowPatience:
    """The limits of one row.

    Attributes:
        tries: most calls refused for lack of capacity, or without a reason.
        lost: most calls without a complete answer, because each may have been billed.
        seconds: most seconds from its first call, whatever the reason.
    """

    tries: int = 7
    lost: int = 2
    seconds: float = 3600.0


class RowTries:
    """The failures of one row so far."""

    def __init__(self, patience: RowPatience, now: float) -> None:
        self._patience, self._until = patience, now + patience.seconds
        self._refused = 0
        self.lost = 0
        """Calls without a complete answer."""

    def after(self, refusal: Refusal, now: float) -> float | None:
        """Return the seconds until the row is tried again, or None if it is not."""
        if refusal.meaning is Meaning.MINUTE:
            pause = 0.0  # the throttle holds it back
        elif refusal.meaning in {Meaning.BUSY, Meaning.UNCLEAR}:
            self._refused += 1
            if self._refused >= self._patience.tries:
                return None
            pause = backoff(self._refused, refusal.wait)
        elif refusal.meaning is Meaning.LOST:
            self.lost += 1
            if self.lost >= self._patience.lost:
                return None
            pause = backoff(self.lost)
        else:
            return None
        return pause if now + pause < self._until else None
