"""The service's own time, which all times of jobs refer to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.wire.services.http import HttpAnswer, HttpRequest

_RESOLUTION = 1.0
"""Resolution of the ``Date`` header in seconds (RFC 9110, 5.6.7)."""


class ServiceClock:
    """The service's time, from the ``Date`` header of its answers.

    The service dates an answer between `sent` and `received`, which are times of the local monotonic clock. So each
    answer narrows down the difference between the two clocks. If an answer contradicts earlier ones, the new one
    counts, because clocks drift, and a machine may have been asleep. Setting the local clock changes nothing.
    """

    def __init__(self) -> None:
        self._ahead: tuple[float, float] | None = None
        """The least and the most seconds by which the service's time is ahead of the monotonic clock."""

    @property
    def known(self) -> bool:
        """Whether the service's time is known."""
        return self._ahead is not None

    def learn(self, headers: Mapping[str, str], sent: float, received: float) -> None:
        """Learn from an answer's headers; headers without a usable ``Date`` are ignored.

        Args:
            headers: the answer's headers, with names in lower case.
            sent: when the request was sent, in monotonic seconds.
            received: when the answer had come, in monotonic seconds.
        """
        if headers.get("age", "0").strip() not in ("", "0"):  # it comes from a cache, and so does its date
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
        """Return the service's time in seconds since 1970; before its first answer, the local time."""
        return clock.time() if self._ahead is None else self.time_at(clock.monotonic())

    def time_at(self, monotonic: float) -> float:
        """Return the service's time for a time of the monotonic clock, to about half a second.

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
    """Learn the time from an answer that has just come, unless Cloud Storage or a failing proxy sent it."""
    if answer.status < 500 and not request.url.startswith(config.storage_url):
        service.learn(answer.headers, sent, clock.monotonic())


@lru_cache(maxsize=8)  # many answers come in one second
def _seconds(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        # A date without a zone is UTC, because HTTP has no other zone.
        return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=timezone.utc).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
