"""Loads a connection's account as google-auth credentials. No token is fetched here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.client.auth.secret_manager import fetch_key
from airflow_provider_genai_batch.client.config import GoogleCredentials
from airflow_provider_genai_batch.exceptions import ConfigurationError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_AWS = "urn:ietf:params:aws:token-type:aws4_request"


def load(settings: GoogleCredentials, scopes: Sequence[str]) -> Credentials:
    """Load the credentials of a connection's account.

    Raises:
        ConfigurationError: a key or a configuration cannot be used, or there are no default credentials.
    """
    credentials = _own(settings, scopes)
    if settings.impersonation_chain:
        from google.auth import impersonated_credentials

        *delegates, target = settings.impersonation_chain
        credentials = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]  # as below
            source_credentials=credentials,
            target_principal=target,
            target_scopes=list(scopes),
            delegates=delegates,
        )
    if settings.quota_project:
        credentials = credentials.with_quota_project(settings.quota_project)
    return credentials  # type: ignore[no-any-return]  # google-auth's classes are only partly typed


def _own(settings: GoogleCredentials, scopes: Sequence[str]) -> Any:
    if settings.key_path or settings.keyfile_dict:
        key = settings.keyfile_dict or read_json("key_path", settings.key_path or "")
        return _service_account(key, scopes)
    if settings.key_secret:
        return _service_account(fetch_key(settings.key_secret, settings.key_secret_project), scopes)
    if settings.config:
        given = settings.config
        name = "credential_config_file"
        return configured(read_json(name, given) if isinstance(given, str) else given, scopes)
    return default_credentials(scopes)[0]


def read_json(name: str, path: str) -> Any:
    """Read a file that a connection's extra names.

    Raises:
        ConfigurationError: it is not readable JSON; the message names the file, but not its content.
    """
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        msg = f'"{name}" of the connection, {path}, is not a readable JSON file: {error}'
        raise ConfigurationError(msg) from error


def default_credentials(scopes: Sequence[str]) -> tuple[Any, str | None]:
    """Load the Application Default Credentials, and the project that goes with them.

    Raises:
        ConfigurationError: there are none.
    """
    from google.auth import default
    from google.auth.exceptions import DefaultCredentialsError

    try:
        return default(scopes=scopes)
    except DefaultCredentialsError as error:
        msg = (
            "The connection names no account, and there are no Application Default Credentials on this machine. The "
            'Gemini API takes an API key (Password). Vertex AI, which "project" means, takes no API key: it takes an '
            'account in the extra ("key_path", "keyfile_dict", "key_secret_name" or "credential_config_file"), or '
            f"Application Default Credentials. {error}"
        )
        raise ConfigurationError(msg) from error


def _service_account(info: Any, scopes: Sequence[str]) -> Any:
    if not isinstance(info, Mapping) or info.get("type") != "service_account":
        msg = (
            'The key of the connection is not of a service account ("type": "service_account"). Give other '
            'kinds as "credential_config_file" in the extra.'
        )
        raise ConfigurationError(msg)
    pem = info.get("private_key")
    if isinstance(pem, str):  # forms and environment variables escape line breaks; a key has no backslash
        info = {**info, "private_key": pem.replace("\\n", "\n")}
    return _made(_KINDS["service_account"], info, scopes, "service-account key")


def configured(info: Any, scopes: Sequence[str]) -> Any:
    """Make credentials from a configuration of any supported type.

    Raises:
        ConfigurationError: it cannot be used.
    """
    kind = info.get("type") if isinstance(info, Mapping) else None
    if kind not in _KINDS:
        msg = (
            f'"credential_config_file" of the connection is of type {kind!r}, which is not supported: there are '
            f"{', '.join(_KINDS)}. For others use Application Default Credentials (GOOGLE_APPLICATION_CREDENTIALS) "
            "in a connection without it."
        )
        raise ConfigurationError(msg)
    return _made(_KINDS[kind], info, scopes, "credential_config_file")


def _made(
    make: Callable[[Any, list[str]], Any], info: Mapping[str, Any], scopes: Sequence[str], what: str
) -> Any:
    from google.auth.exceptions import GoogleAuthError

    try:
        return make(info, list(scopes))
    except (GoogleAuthError, ValueError, TypeError, AttributeError, KeyError) as error:
        # The last three errors: a field is missing or is not a string.
        msg = f"The {what} of the connection cannot be used: {error}"
        raise ConfigurationError(msg) from error


def _by_key(info: Any, scopes: list[str]) -> Any:
    from google.oauth2 import service_account

    return service_account.Credentials.from_service_account_info(info, scopes=scopes)  # type: ignore[no-untyped-call]


def _by_user(info: Any, scopes: list[str]) -> Any:
    from google.oauth2.credentials import Credentials

    return Credentials.from_authorized_user_info(info, scopes)  # type: ignore[no-untyped-call]


def _by_federation(info: Any, scopes: list[str]) -> Any:
    """Choose the class as google-auth does, which would also look up the project over the network."""
    from google.auth import aws, identity_pool, pluggable

    if info.get("subject_token_type") == _AWS:
        kind: Any = aws.Credentials
    elif "executable" in (info.get("credential_source") or {}):
        kind = pluggable.Credentials
    else:
        kind = identity_pool.Credentials
    return kind.from_info(info, scopes=scopes)


def _by_federated_user(info: Any, _: list[str]) -> Any:
    """Use the scopes that the user has agreed to; no others are available."""
    from google.auth.external_account_authorized_user import Credentials

    return Credentials.from_info(info)  # type: ignore[no-untyped-call]


def _by_impersonation(info: Any, scopes: list[str]) -> Any:
    from google.auth.impersonated_credentials import Credentials

    return Credentials.from_impersonated_service_account_info(info, scopes=scopes)  # type: ignore[no-untyped-call]


_KINDS: dict[str, Callable[[Any, list[str]], Any]] = {
    "service_account": _by_key,
    "authorized_user": _by_user,
    "external_account": _by_federation,
    "external_account_authorized_user": _by_federated_user,
    "impersonated_service_account": _by_impersonation,
}
"""Functions that make credentials from a configuration, by its ``type``."""
