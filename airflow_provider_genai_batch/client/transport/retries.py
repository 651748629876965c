"""Retries of one call: reads and other safe calls are sent again, a create never."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_genai_batch.client.calls import Call
from airflow_provider_genai_batch.exceptions import (
    BEFORE_SENDING,
    PASSING,
    AuthenticationError,
    CallError,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.flows.retry import backoff
from airflow_provider_genai_batch.flows.steps import Sleep
from airflow_provider_genai_batch.wire.services.errors import api_error
from airflow_provider_genai_batch.wire.services.http import HttpAnswer, HttpRequest

T = TypeVar("T")

TRIES = 5
_LONGEST_HINT = 120.0
"""The longest wait inside one call, in seconds; if the service asks for a longer one, the call fails."""


@dataclass(frozen=True)
class Send:
    """A step that sends a request; its result is an `HttpAnswer`."""

    request: HttpRequest
    renew: bool = False
    """Whether the current token was refused, so that a new one is needed."""


class RetryBudget:
    """How often one call may fail before it is given up, and what to do before the next try."""

    def __init__(self, tries: int, *, renewable: bool) -> None:
        self._tries, self._renewable = tries, renewable
        self._failures = 0

    def progress(self) -> None:
        """Reset the count of failures, because some bytes have arrived."""
        self._failures = 0

    def after(self, error: CallError, method: str, *, safe: bool = True) -> tuple[bool, float]:
        """Decide what to do after a failure.

        Args:
            error: the failure.
            method: the method of the call.
            safe: whether it may be sent again if it is not known whether the service acted on it.

        Returns:
            Whether to get a new token, and the seconds to wait before the next try.

        Raises:
            CallError: the same error, if there is no next try.
        """
        if isinstance(error, AuthenticationError) and self._renew(error):
            return True, 0.0
        pause = self._pause(error, safe=safe) if isinstance(error, PASSING) else None
        if pause is None:
            error.method = error.method or method
            raise error
        return False, pause

    def _renew(self, error: AuthenticationError) -> bool:
        """Whether to try a new token, which is done once. A 401 did nothing, so even a create may be sent again."""
        may = self._renewable and error.code == 401 and error.method not in BEFORE_SENDING
        self._renewable = False
        return may

    def _pause(self, error: CallError, *, safe: bool) -> float | None:
        """Return the seconds to wait before the next try; None to give up."""
        self._failures += 1
        hint = error.retry_after
        tries = self._tries if safe or error.method in BEFORE_SENDING else 1
        if self._failures >= tries or (hint or 0) > _LONGEST_HINT:
            return None
        return backoff(self._failures, hint)


def send_with_retries(call: Call[T], tries: int = TRIES, *, renewable: bool = True) -> Generator[Any, Any, T]:
    """Perform a call; `renewable` says whether its credentials are a token that can be renewed.

    Raises:
        ApiError: the service refused the call.
        TransportError: no complete answer came.
        UnreadableAnswer: an answer came that cannot be read.
    """
    budget = RetryBudget(tries, renewable=renewable and not call.request.anonymous)
    renew = False
    while True:
        try:
            answer: HttpAnswer = yield Send(call.request, renew)
            return _read(call, answer)
        except CallError as error:
            renew, pause = budget.after(error, call.method, safe=call.safe)
            if not renew:
                yield Sleep(pause)


def _read(call: Call[T], answer: HttpAnswer) -> T:
    if answer.status not in call.accept:
        if 200 <= answer.status < 400:  # it is not known whether the call was done or refused
            raise UnreadableAnswer(f"unexpected status {answer.status}", method=call.method)
        raise api_error(answer, call.method, about=call.about)
    try:
        return call.read(answer)
    except CallError as error:
        raise type(error)(str(error), method=call.method) from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        # Readers are lenient, but a body can have any shape.
        raise UnreadableAnswer(f"{type(error).__name__}: {error}", method=call.method) from error
