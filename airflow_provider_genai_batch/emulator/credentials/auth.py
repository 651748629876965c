"""Checks credentials: API keys on Gemini, bearer tokens on both services."""

from __future__ import annotations

from starlette.requests import Request

from airflow_provider_genai_batch.emulator.credentials.oauth import CLOUD_PLATFORM, IAM, RETRIEVER, Tokens
from airflow_provider_genai_batch.emulator.errors import ApiError, error_info

_BAD_KEY = "bad-key"


def check(service: str, request: Request, tokens: Tokens, api_keys: frozenset[str] | None) -> None:
    """Accept a request, or refuse it as Google does.

    Args:
        service: ``gemini``, ``vertex``, ``iam`` or ``open``.
        request: The request.
        tokens: The tokens that the emulator issued.
        api_keys: The accepted keys; ``None``: all except ``bad-key``.

    Raises:
        ApiError: 400 for a bad key, 401 for a bad token, 403 for no credential on Gemini.
    """
    if service == "open":
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    if service in ("vertex", "iam"):
        if not bearer:
            raise unauthenticated("CREDENTIALS_MISSING")
        _check_bearer(bearer, tokens, {CLOUD_PLATFORM}, instead=IAM if service == "iam" else None)
        return
    key = request.headers.get("x-goog-api-key") or request.query_params.get("key")
    if key:
        if key == _BAD_KEY or (api_keys is not None and key not in api_keys):
            raise ApiError(
                400,
                "API key not valid. Please pass a valid API key.",
                details=[error_info("API_KEY_INVALID", service="generativelanguage.googleapis.com")],
            )
        return
    if bearer:
        # A user reported that this API answers 403 for cloud-platform alone.
        _check_bearer(bearer, tokens, {CLOUD_PLATFORM, RETRIEVER})
        return
    raise ApiError(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def unauthenticated(reason: str) -> ApiError:
    """Return the 401 for a bearer token."""
    return ApiError(
        401,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
        "other valid authentication credential.",
        details=[error_info(reason, service="aiplatform.googleapis.com")],
    )


def _check_bearer(token: str, tokens: Tokens, needed: set[str], *, instead: str | None = None) -> None:
    if token == "bad-token" or tokens.refuses(token):  # noqa: S105 - the documented bad token
        raise unauthenticated(
            "ACCESS_TOKEN_EXPIRED" if tokens.issued_here(token) else "ACCESS_TOKEN_TYPE_UNSUPPORTED"
        )
    scopes = tokens.scopes(token)
    if scopes is not None and not needed <= scopes and instead not in scopes:
        raise ApiError(
            403,
            "Request had insufficient authentication scopes.",
            details=[error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT")],
        )
