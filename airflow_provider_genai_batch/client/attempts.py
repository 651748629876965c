"""One call, tried as often as it may be: reads and other safe calls again, a create never."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_genai_batch.client.calls import Call
from airflow_provider_genai_batch.exceptions import PASSING, AuthenticationError, CallError, UnreadableAnswer
from airflow_provider_genai_batch.flows.backoff import backoff
from airflow_provider_genai_batch.flows.steps import Sleep
from airflow_provider_genai_batch.wire.errors import api_error
from airflow_provider_genai_batch.wire.http import HttpAnswer, HttpRequest

T = TypeVar("T")

TRIES = 5
_LONGEST_HINT = 120.0
"""A service that asks for a longer wait than this, in seconds, is not waited for inside one call."""


@dataclass(frozen=True)
class Send:
    """Send a request; answers an `HttpAnswer`."""

    request: HttpRequest
    renew: bool = False
    """The token at hand was refused: get another."""


def attempts(call: Call[T], tries: int = TRIES) -> Generator[Any, Any, T]:
    """Perform a call.

    Raises:
        ApiError: the service refused it.
        TransportError: no whole answer came.
        UnreadableAnswer: an answer came that cannot be read.
    """
    tries = tries if call.safe else 1
    failures, renew, renewed = 0, False, False
    while True:
        try:
            answer: HttpAnswer = yield Send(call.request, renew)
            return _read(call, answer)
        except AuthenticationError as error:
            # A 401 created nothing, so even a create may follow it once with a new token.
            if renewed or error.code != 401 or error.method == "oauth.token":
                raise
            renew = renewed = True
            continue
        except PASSING as error:
            failures += 1
            hint = getattr(error, "retry_after", None)
            if failures >= tries or (hint or 0) > _LONGEST_HINT:
                error.method = error.method or call.method
                raise
            renew = False
            yield Sleep(backoff(failures, hint))


def _read(call: Call[T], answer: HttpAnswer) -> T:
    if answer.status not in call.accept:
        if 200 <= answer.status < 400:  # neither done nor refused: nobody knows
            raise UnreadableAnswer(f"unexpected status {answer.status}", method=call.method)
        raise api_error(answer, call.method)
    try:
        return call.read(answer)
    except CallError as error:
        raise type(error)(str(error), method=call.method) from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        # Readers are lenient, but a body can be of any shape at all.
        raise UnreadableAnswer(f"{type(error).__name__}: {error}", method=call.method) from error
