"""The service's own time, which is the time that jobs are measured by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.wire.services.http import HttpAnswer, HttpRequest

_RESOLUTION = 1.0
"""Seconds: a ``Date`` leaves out fractions (RFC 9110, 5.6.7)."""


class ServiceClock:
    """The service's time, as the ``Date`` of its answers gives it.

    An answer that was asked for at `sent` and came at `received`, by a clock that does not jump, was dated in between,
    so each narrows down how far the two clocks are apart. One that contradicts those before is believed: clocks drift,
    and a machine may have been asleep. Local clocks that are set meanwhile change nothing.
    """

    def __init__(self) -> None:
        self._ahead: tuple[float, float] | None = None
        """The least and the most by which the service's time is ahead of the monotonic one."""

    @property
    def known(self) -> bool:
        """Whether the service's time is known."""
        return self._ahead is not None

    def learn(self, headers: Mapping[str, str], sent: float, received: float) -> None:
        """Take an answer's headers, whose names are lower case; those without a usable ``Date`` say nothing.

        Args:
            headers: the answer's.
            sent: when it was asked for, in monotonic seconds.
            received: when it had come.
        """
        if headers.get("age", "0").strip() not in ("", "0"):  # kept by a cache, with the date it had then
            return
        dated = _seconds(headers.get("date", ""))
        if dated is None:
            return
        least, most = dated - received, dated + _RESOLUTION - sent
        if self._ahead is not None:
            known_least, known_most = self._ahead
            if least <= known_most and known_least <= most:
                least, most = max(least, known_least), min(most, known_most)
        self._ahead = (least, most)

    def time(self) -> float:
        """Return seconds since 1970 by the service's clock; by the local one before any answer has come."""
        return clock.time() if self._ahead is None else self.time_at(clock.monotonic())

    def time_at(self, monotonic: float) -> float:
        """Return the service's time at a moment of the monotonic clock, to about half a second.

        Raises:
            ValueError: the service's time is not known.
        """
        if self._ahead is None:
            msg = "no answer has given the service's time"
            raise ValueError(msg)
        least, most = self._ahead
        return monotonic + (least + most) / 2


def learn_from(
    service: ServiceClock, config: ClientConfig, request: HttpRequest, answer: HttpAnswer, sent: float
) -> None:
    """Learn the time from an answer that has just come, unless it is Cloud Storage's, or a proxy's that failed."""
    if answer.status < 500 and not request.url.startswith(config.storage_url):
        service.learn(answer.headers, sent, clock.monotonic())


@lru_cache(maxsize=8)  # many answers come in one second
def _seconds(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        # A date without a zone is UTC: HTTP knows no other.
        return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=timezone.utc).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
