"""Gets tokens through google-auth, and distinguishes temporary errors from refusals.

google-auth raises the same error for both: an unreachable metadata server, a 503 of the IAM Credentials API and a
missing role all are a `RefreshError` that says not to retry. So this module records the HTTP status of the answers.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from google.auth import exceptions
from google.auth.transport.requests import Request

from airflow_provider_genai_batch.exceptions import AuthenticationError, TransportError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
"""Errors that google-auth raises for an unexpected answer, such as a proxy's error page."""
_OF_THIS_MACHINE = (OSError, subprocess.SubprocessError)
"""Errors that it raises for a file or program that provides a token of another cloud."""
TROUBLE: tuple[type[Exception], ...] = (exceptions.GoogleAuthError, *_UNREADABLE, *_OF_THIS_MACHINE)
"""All errors of a token refresh."""


class _Asking(Request):
    """google-auth's transport, which also records the status of the last answer."""

    status: int | None = None

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Send a request."""
        self.status = None
        answer = super().__call__(*args, **settings)  # type: ignore[no-untyped-call]  # google-auth is only partly typed
        self.status = answer.status
        return answer


def refresh(credentials: Credentials, *, still_good: bool) -> None:
    """Get a new token. If the current one is `still_good`, a temporary error is ignored.

    Raises:
        AuthenticationError: the source of tokens refused.
        TransportError: it could not be reached, failed, or gave an unreadable answer.
    """
    asking = _Asking()
    try:
        credentials.refresh(asking)  # type: ignore[no-untyped-call]
    except TROUBLE as error:
        if still_good:
            return
        said = str(error) or type(error).__name__
        if _passes(error, asking.status):
            raise TransportError(said, method="oauth.token") from error
        raise AuthenticationError(said, code=401, method="oauth.token") from error


def _passes(error: Exception, status: int | None) -> bool:
    """Whether an error is temporary.

    Args:
        error: the error that google-auth raised.
        status: the HTTP status of the last answer; None if there was none.
    """
    if not isinstance(error, exceptions.GoogleAuthError) or error.retryable:
        return True
    if status is not None and status >= 400:
        return status in (408, 429) or status >= 500
    return _unheard(error)


def _unheard(error: BaseException | None) -> bool:
    """Whether no usable answer came; google-auth hides the cause in an error of its own."""
    while isinstance(error, exceptions.GoogleAuthError):
        if isinstance(error, exceptions.TransportError):
            return True
        error = error.__cause__ or error.__context__
    return False
