"""Reads an Airflow connection into the configuration of a client."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.client.auth.account_project import project_of
from airflow_provider_genai_batch.client.config import ClientConfig, GoogleCredentials
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.hooks.connection_form import FIELDS
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.services import vertex

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

CONN_TYPE = "genai_batch"
_GOOGLE_TYPE = "google_cloud_platform"
_OLD_PREFIX = f"extra__{_GOOGLE_TYPE}__"
_OTHER_CREDENTIALS = {
    "is_anonymous": "Vertex AI answers no anonymous calls: name an account by",
    "idp_issuer_url": "Tokens of an identity provider come from a credential configuration file only: use",
}
"""Fields by which a Google connection can name an account, but which this package does not support."""
_WORDS = frozenset(
    (
        *("project", "location", "api_version", "staging_uri", "storage_endpoint", "bigquery_endpoint"),
        *("key_path", "key_secret_name", "key_secret_project_id", "quota_project", "quota_project_id"),
    )
)
"""Fields that are text."""
_KNOWN = frozenset({*FIELDS, *_OTHER_CREDENTIALS, "quota_project_id", "scope"})
_ONLY_OURS = (
    "max_cost_per_day",
    "max_enqueued_tokens",
    "staging_uri",
    "storage_endpoint",
    "bigquery_endpoint",
)
"""Fields of which a Google connection of other packages has none."""
_ALIKE = 0.7
"""How alike, from 0 to 1, two names are if one of them is a misspelling of the other."""
_PORT = re.compile(r":\d*$")
_ACCOUNTS = ("key_path", "keyfile_dict", "credential_config_file", "key_secret_name")


def client_config(connection: Connection) -> ClientConfig:
    """Read a connection of type ``genai_batch``, or one of ``google_cloud_platform``, which means Vertex AI.

    This may block: a Google connection without ``project`` uses the project of its account, which is read from a file,
    from the machine or from Google.

    Raises:
        ConfigurationError: a field cannot be read, or its value cannot work.
        TransportError: the account's project could not be read now.
    """
    if connection.conn_type not in (CONN_TYPE, _GOOGLE_TYPE):
        msg = (
            f"Connection {connection.conn_id!r} is of type {connection.conn_type!r}; "
            f"{CONN_TYPE!r} or {_GOOGLE_TYPE!r} is needed."
        )
        raise ConfigurationError(msg)
    extra = {name.removeprefix(_OLD_PREFIX): value for name, value in _extra(connection).items()}
    extra = {name: _plain(name, value) for name, value in extra.items() if value not in (None, "")}
    google = connection.conn_type == _GOOGLE_TYPE
    _check_names(extra, connection.conn_id, google=google)
    _check_account(extra, connection.conn_id)
    backend = _backend(extra, google=google)
    account = GoogleCredentials(
        key_path=extra.get("key_path"),
        keyfile_dict=_json_object(extra.get("keyfile_dict"), "keyfile_dict"),
        key_secret=extra.get("key_secret_name"),
        key_secret_project=extra.get("key_secret_project_id"),
        config=_configuration(extra.get("credential_config_file")),
        impersonation_chain=_texts(extra.get("impersonation_chain"), "impersonation_chain"),
        quota_project=extra.get("quota_project", extra.get("quota_project_id")),
        scopes=_texts(extra.get("scopes", extra.get("scope")), "scopes"),
    )
    return ClientConfig(
        backend=backend,
        api_key=connection.password or None,
        google=account,
        host=_host(connection),
        api_version=extra.get("api_version"),
        project=extra.get("project") or (project_of(account) if google else None),
        location=extra.get("location") or vertex.DEFAULT_LOCATION,
        staging_uri=extra.get("staging_uri"),
        storage_endpoint=extra.get("storage_endpoint"),
        bigquery_endpoint=extra.get("bigquery_endpoint"),
        max_enqueued_tokens=_limits(extra.get("max_enqueued_tokens"), "max_enqueued_tokens"),
        max_cost_per_day=_usd(extra.get("max_cost_per_day"), "max_cost_per_day"),
    )


def _extra(connection: Connection) -> Mapping[str, Any]:
    """Return the fields of the extra. Errors show none of its text, because it may be secret."""
    if not connection.extra:
        return {}
    try:
        read = json.loads(connection.extra)
    except ValueError:
        wrong = "cannot be read as JSON"
    else:
        if isinstance(read, dict):
            return connection.extra_dejson
        if read is None:
            return {}
        wrong = f"is JSON, but a {type(read).__name__} and no object"
    msg = (
        f'The extra of connection {connection.conn_id!r} {wrong}: write one such as {{"backend": "gemini"}}.'
    )
    raise ConfigurationError(msg)


def _plain(name: str, value: Any) -> Any:
    """Return the value of a field; those that are text may be numbers, such as that of a project.

    Raises:
        ConfigurationError: a field of text is something else.
    """
    if name not in _WORDS or isinstance(value, str):
        return value
    if type(value) is not int:
        msg = f'"{name}" in the connection\'s extra is not a text: write it in quotes.'
        raise ConfigurationError(msg)
    return str(value)


def _check_names(extra: Mapping[str, Any], conn_id: str, *, google: bool) -> None:
    """Refuse a misspelled field, because a limit or an account that it gives would not apply. Others are ignored."""
    for name in sorted(extra.keys() - _KNOWN):
        if meant := get_close_matches(name, _ONLY_OURS if google else FIELDS, 1, _ALIKE):
            msg = f'"{name}" in the extra of connection {conn_id!r} is no field of it. Did you mean "{meant[0]}"?'
            raise ConfigurationError(msg)


def _check_account(extra: Mapping[str, Any], conn_id: str) -> None:
    """Refuse fields that would leave it unclear which account acts and is billed."""
    for name, why in _OTHER_CREDENTIALS.items():
        if name in extra and str(extra[name]).lower() != "false":
            msg = (
                f'"{name}" in the extra of connection {conn_id!r} is not read here. {why} "key_path", '
                '"keyfile_dict", "credential_config_file", or Application Default Credentials, in a connection '
                "without it."
            )
            raise ConfigurationError(msg)
    given = [name for name in _ACCOUNTS if name in extra]
    if len(given) > 1:
        msg = f"The extra of connection {conn_id!r} names an account in several ways: {', '.join(given)}. Keep one."
        raise ConfigurationError(msg)


def _configuration(value: Any) -> Any:
    """Return a credential configuration: a path unchanged, JSON text parsed."""
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return value
    return _json_object(value, "credential_config_file")


def _backend(extra: Mapping[str, Any], *, google: bool) -> Backend:
    given = extra.get("backend")
    if given is None:
        return Backend.VERTEX if google or extra.get("project") else Backend.GEMINI
    try:
        backend = Backend(str(given).lower())
    except ValueError:
        msg = f'"backend" in the connection\'s extra is {given!r}; it is "gemini" or "vertex".'
        raise ConfigurationError(msg) from None
    if google and backend is not Backend.VERTEX:
        msg = f"A connection of type {_GOOGLE_TYPE} means Vertex AI; for Gemini make one of type {CONN_TYPE}."
        raise ConfigurationError(msg)
    return backend


def _host(connection: Connection) -> str | None:
    """Return the base URL from the Host field; its scheme and port may be in the Schema and Port fields."""
    host = connection.host
    if not host:
        return None
    if "://" not in host:
        host = f"{connection.schema or 'https'}://{host}"
    scheme, _, rest = host.partition("://")
    authority, slash, path = rest.partition("/")
    if connection.port and not _PORT.search(authority):
        authority = f"{authority}:{connection.port}"
    return f"{scheme}://{authority}{slash}{path}"


def _json_object(value: Any, name: str) -> dict[str, Any] | None:
    if value is None or isinstance(value, dict):
        return value
    try:
        read = json.loads(value)
    except (TypeError, ValueError):
        read = None
    if not isinstance(read, dict):
        msg = f'"{name}" in the connection\'s extra is not a JSON object.'  # its text may be a secret
        raise ConfigurationError(msg)
    return read


def _limits(value: Any, name: str) -> dict[str, int]:
    """Read one number for every model, or an object with a number for each model."""
    if value is None:
        return {}
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        read = None
    limits = read if isinstance(read, dict) else {"*": read}
    if not all(type(limit) is int and limit > 0 for limit in limits.values()):
        msg = (
            f'"{name}" in the connection\'s extra is a whole number of tokens above 0, or an object of such numbers '
            'by model, for example {"gemini-2.5-flash": 3000000, "*": 1000000}.'
        )
        raise ConfigurationError(msg)
    return {str(model).rpartition("/")[2]: limit for model, limit in limits.items()}


def _usd(value: Any, name: str) -> float | None:
    """Read an amount, as a number or, as the form stores it, as text."""
    if value is None:
        return None
    try:
        usd = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        usd = math.nan
    if not 0 < usd < math.inf:
        msg = f'"{name}" in the connection\'s extra is {value!r}; it is USD above 0, as a number.'
        raise ConfigurationError(msg)
    return usd


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        msg = f'"{name}" in the connection\'s extra is a list of strings, or one string with commas.'
        raise ConfigurationError(msg)
    return tuple(item.strip() for item in items if item.strip())
