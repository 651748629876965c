"""The project of an account, for a connection of the Google provider that names no project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.client.auth.credentials import configured, default_credentials, read_json
from airflow_provider_genai_batch.client.auth.secret_manager import fetch_key
from airflow_provider_genai_batch.client.config import CLOUD_PLATFORM, GoogleCredentials
from airflow_provider_genai_batch.exceptions import ConfigurationError, TransportError

_SCOPES = (CLOUD_PLATFORM,)
_OF_PROJECTS = ".iam.gserviceaccount.com"
_OF_NO_PROJECT = frozenset({"developer.gserviceaccount.com", "appspot.gserviceaccount.com"})
"""Domains of default service accounts, which do not contain a project because all projects share them."""


def project_of(settings: GoogleCredentials) -> str | None:
    """Return the project of the account; None if the account does not name one. It may be looked up over the network.

    Raises:
        ConfigurationError: the account cannot be used.
        TransportError: the project could not be looked up at this time.
    """
    if settings.impersonation_chain:
        return _of_email(settings.impersonation_chain[-1])
    if settings.key_path or settings.keyfile_dict:
        return _named(settings.keyfile_dict or read_json("key_path", settings.key_path or ""))
    if settings.key_secret:
        return _named(fetch_key(settings.key_secret, settings.key_secret_project))
    if settings.config:
        given = settings.config
        return _of_configuration(
            read_json("credential_config_file", given) if isinstance(given, str) else given
        )
    _, project = default_credentials(_SCOPES)
    return project


def _of_email(email: str) -> str | None:
    domain = email.partition("@")[2]
    if domain in _OF_NO_PROJECT:
        return None
    name, _, owner = domain.removesuffix(_OF_PROJECTS).partition(".")
    # The account of example.com:p is …@p.example.com.iam.gserviceaccount.com.
    return f"{owner}:{name}" if owner and domain.endswith(_OF_PROJECTS) else name or None


def _named(info: Any) -> str | None:
    return info.get("project_id") if isinstance(info, Mapping) else None


def _of_configuration(info: Any) -> str | None:
    """Return the project that a configuration names, or else that of its identity pool, which Google looks up."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.exceptions import TransportError as Unreachable
    from google.auth.transport.requests import Request

    credentials = configured(info, _SCOPES)
    ask = getattr(credentials, "get_project_id", None)
    if _named(info) or ask is None:
        return _named(info)
    try:
        project: str | None = ask(request=Request())
    except GoogleAuthError as error:
        msg = f"The project of the connection's account could not be looked up: {error}"
        if error.retryable or isinstance(error, Unreachable):
            raise TransportError(msg, method="projects.get") from error
        raise ConfigurationError(f'{msg}. Set "project" in the extra.') from error
    return project
