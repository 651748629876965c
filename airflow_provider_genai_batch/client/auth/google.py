"""Credentials as headers: an API key, or an OAuth token, which google-auth refreshes outside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.auth.credentials import load
from airflow_provider_genai_batch.client.config import CLOUD_PLATFORM, ClientConfig, GoogleCredentials
from airflow_provider_genai_batch.models.base import Backend

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

# Google's OAuth quickstart requires both on the Gemini API; with only the first, the service answers 403.
_SCOPES = {
    Backend.VERTEX: (CLOUD_PLATFORM,),
    Backend.GEMINI: (CLOUD_PLATFORM, "https://www.googleapis.com/auth/generative-language.retriever"),
}


class Auth(Protocol):
    """Provides the headers with a request's credentials."""

    renewable: bool
    """Whether new credentials may help after a refusal."""

    def headers(self, *, renew: bool = False) -> Mapping[str, str]:
        """Return the headers. This may block for a token refresh. `renew` discards a token that was refused."""

    async def aheaders(self, *, renew: bool = False) -> Mapping[str, str]:
        """Return the headers without blocking the event loop."""


def auth_for(config: ClientConfig) -> Auth:
    """Return the API key of the connection (Gemini), or else OAuth credentials."""
    if config.backend is Backend.GEMINI and config.api_key:
        return ApiKey(config.api_key)
    return GoogleToken(config.google, config.google.scopes or _SCOPES[config.backend])


def cloud_auth(config: ClientConfig, auth: Auth) -> Auth:
    """Return credentials for Google Cloud, which accepts no API keys: the connection's account, or `auth` itself."""
    if not isinstance(auth, ApiKey):
        return auth
    return GoogleToken(config.google, config.google.scopes or _SCOPES[Backend.VERTEX])


class ApiKey:
    """A Gemini API key, sent in a header and never in a URL, because URLs end up in logs."""

    renewable = False

    def __init__(self, key: str) -> None:
        self._headers = {"x-goog-api-key": key}

    def headers(self, *, renew: bool = False) -> Mapping[str, str]:  # noqa: ARG002 - a key cannot be renewed
        """Return the key's header."""
        return self._headers

    async def aheaders(self, *, renew: bool = False) -> Mapping[str, str]:
        """Return the key's header."""
        return self.headers(renew=renew)


class GoogleToken:
    """An OAuth token from google-auth, shared by all threads and by the coroutines of one event loop."""

    renewable = True

    def __init__(self, settings: GoogleCredentials, scopes: tuple[str, ...]) -> None:
        self._settings, self._scopes = settings, scopes
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()  # one coroutine refreshes, in a thread; the others wait without one
        self._credentials: Credentials | None = None

    def headers(self, *, renew: bool = False) -> Mapping[str, str]:
        """Return ``Authorization`` and, if there is one, the quota project's header.

        Raises:
            ConfigurationError: the key file or the default credentials cannot be used.
            AuthenticationError: the token endpoint refused.
            TransportError: the token endpoint could not be reached, or failed.
        """
        return self._get(self._token if renew else None)

    async def aheaders(self, *, renew: bool = False) -> Mapping[str, str]:
        """Return the same headers; a refresh runs in a thread."""
        refused = self._token if renew else None
        at_hand = self._at_hand(refused)
        if at_hand is not None:
            return at_hand
        async with self._turn:
            at_hand = self._at_hand(refused)
            return at_hand if at_hand is not None else await clock.in_thread(self._get, refused)

    @property
    def _token(self) -> str | None:
        return None if self._credentials is None else self._credentials.token

    def _get(self, refused: str | None) -> Mapping[str, str]:
        with self._lock:
            credentials = self._credentials = self._credentials or load(self._settings, self._scopes)
            if not _fresh(credentials) or (refused is not None and credentials.token == refused):
                from airflow_provider_genai_batch.client.auth.token_source import refresh

                refresh(credentials, still_good=refused is None and _unexpired(credentials))
            return _headers(credentials)

    def _at_hand(self, refused: str | None) -> Mapping[str, str] | None:
        credentials = self._credentials
        if credentials is None or not _fresh(credentials) or credentials.token == refused:
            return None
        return _headers(credentials)


def _fresh(credentials: Credentials) -> bool:
    from google.auth.credentials import TokenState

    return credentials.token_state is TokenState.FRESH


def _unexpired(credentials: Credentials) -> bool:
    from google.auth.credentials import TokenState

    return credentials.token_state is not TokenState.INVALID


def _headers(credentials: Credentials) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    credentials.apply(headers)  # type: ignore[no-untyped-call]  # google-auth is only partly typed
    return headers
