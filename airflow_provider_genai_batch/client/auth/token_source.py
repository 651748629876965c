"""Getting a token by google-auth, and telling trouble that passes from a refusal.

google-auth raises the same errors for both: a metadata server that is away, a 503 of the IAM Credentials API and a role
that is missing are all a `RefreshError` that is not to be retried. So the status of the answers is noted.
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
"""What google-auth lets through of an answer that is not what it expects, such as a page of a proxy."""
_OF_THIS_MACHINE = (OSError, subprocess.SubprocessError)
"""What it lets through of a file or a program that gives out the token of another cloud."""
TROUBLE: tuple[type[Exception], ...] = (exceptions.GoogleAuthError, *_UNREADABLE, *_OF_THIS_MACHINE)
"""Every error of a refresh."""


class _Asking(Request):
    """Google's transport, which notes how it was answered last."""

    status: int | None = None

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Send."""
        self.status = None
        answer = super().__call__(*args, **settings)  # type: ignore[no-untyped-call]  # google-auth is only partly typed
        self.status = answer.status
        return answer


def refresh(credentials: Credentials, *, still_good: bool) -> None:
    """Get a new token; while the one at hand is `still_good`, trouble is no matter.

    Raises:
        AuthenticationError: the source of tokens refused.
        TransportError: it could not be asked, had trouble, or cannot be understood.
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
    """Whether it may go better next time.

    Args:
        error: of google-auth.
        status: of the last answer; None if there was none.
    """
    if not isinstance(error, exceptions.GoogleAuthError) or error.retryable:
        return True
    if status is not None and status >= 400:
        return status in (408, 429) or status >= 500
    return _unheard(error)


def _unheard(error: BaseException | None) -> bool:
    """Whether no usable answer came: google-auth hides that behind an error of its own."""
    while isinstance(error, exceptions.GoogleAuthError):
        if isinstance(error, exceptions.TransportError):
            return True
        error = error.__cause__ or error.__context__
    return False
