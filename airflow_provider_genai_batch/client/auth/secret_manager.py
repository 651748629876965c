"""Fetches a service-account key from Google's Secret Manager.

Source: https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from airflow_provider_genai_batch.client.config import CLOUD_PLATFORM
from airflow_provider_genai_batch.client.transport.redaction import redacted
from airflow_provider_genai_batch.exceptions import ConfigurationError, TransportError

URL = "https://secretmanager.googleapis.com/v1"
_SECONDS = 30


def fetch_key(name: str, project: str | None) -> Any:
    """Fetch the latest version of a key with the Application Default Credentials.

    Args:
        name: the name of the secret.
        project: the project of the secret; None: that of the default credentials.

    Raises:
        ConfigurationError: these credentials cannot read it, or it is not a key.
        TransportError: it could not be fetched at this time.
    """
    from google.auth import default
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import Request
    from requests import get

    from airflow_provider_genai_batch.client.auth.token_source import TROUBLE

    said = f'The secret {name!r} that "key_secret_name" of the connection names'
    try:
        credentials, own = default(scopes=[CLOUD_PLATFORM])
    except DefaultCredentialsError as error:
        msg = f"{said} is fetched with Application Default Credentials, and there are none: {error}"
        raise ConfigurationError(msg) from error
    owner = project or own
    if not owner:
        msg = f'{said} has no known project: set "key_secret_project_id" in the extra.'
        raise ConfigurationError(msg)
    url = f"{URL}/projects/{quote(owner)}/secrets/{quote(name, safe='')}/versions/latest:access"
    try:
        headers: dict[str, str] = {}
        credentials.refresh(Request())  # type: ignore[no-untyped-call]  # google-auth is only partly typed
        credentials.apply(headers)  # type: ignore[no-untyped-call]
        answer = get(url, headers=headers, timeout=_SECONDS)
    except TROUBLE as error:  # errors of the package requests are OSErrors
        msg = f"{said} could not be fetched: {error}"
        raise TransportError(msg, method="secretmanager.access") from error
    if answer.status_code == 429 or answer.status_code >= 500:
        msg = f"{said} could not be fetched: HTTP {answer.status_code}"
        raise TransportError(msg, method="secretmanager.access")
    if answer.status_code != 200:
        reason = _reason(redacted(answer.content, headers))
        msg = f"{said} cannot be read in project {owner}: HTTP {answer.status_code}, {reason}"
        raise ConfigurationError(msg)
    try:
        return json.loads(base64.b64decode(answer.json()["payload"]["data"]))
    except (ValueError, KeyError, TypeError):
        msg = f"{said} is not JSON."
        raise ConfigurationError(msg) from None  # the cause holds the secret


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"
