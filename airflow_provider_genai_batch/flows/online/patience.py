"""How long one row is asked."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_genai_batch.flows.online.refusal import Meaning, Refusal
from airflow_provider_genai_batch.flows.retry import backoff


@dataclass(frozen=True)
class RowPatience:
    """The limits of one row.

    Attributes:
        tries: calls that may meet no capacity, or a refusal that does not say why.
        lost: calls that may stay without a whole answer: each may have been billed.
        seconds: from its first call on, whatever it meets.
    """

    tries: int = 7
    lost: int = 2
    seconds: float = 3600.0


class RowTries:
    """What one row has met so far."""

    def __init__(self, patience: RowPatience, now: float) -> None:
        self._patience, self._until = patience, now + patience.seconds
        self._refused = 0
        self.lost = 0
        """Calls without a whole answer."""

    def after(self, refusal: Refusal, now: float) -> float | None:
        """Return the seconds until the row is asked again, None if it is not."""
        if refusal.meaning is Meaning.MINUTE:
            pause = 0.0  # the gate keeps it
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
