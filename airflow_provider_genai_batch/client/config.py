"""Settings of a client: the service, its place, and the account."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.services import gemini, storage, vertex

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
"""The OAuth scope of Google Cloud's services."""
_VERSION = re.compile(r"v[a-z0-9]+")


@dataclass(frozen=True)
class GoogleCredentials:
    """How to get an OAuth token. If all fields are empty, Application Default Credentials are used."""

    key_path: str | None = None
    """Path of a service-account key."""
    keyfile_dict: Mapping[str, Any] | None = field(default=None, repr=False)
    """The content of a service-account key."""
    key_secret: str | None = None
    """Name of the secret in Secret Manager that contains the service-account key."""
    key_secret_project: str | None = None
    """The secret's project; None: that of the Application Default Credentials."""
    config: Mapping[str, Any] | str | None = field(default=None, repr=False)
    """A credential configuration, or the path of one."""
    impersonation_chain: tuple[str, ...] = ()
    """Accounts in order; jobs run as the last one, those before it are delegates."""
    quota_project: str | None = None
    """Project whose quota is used."""
    scopes: tuple[str, ...] = ()
    """OAuth scopes; empty: the service's own."""


@dataclass(frozen=True)
class ClientConfig:
    """The settings of one connection. ``repr`` shows no secret."""

    backend: Backend
    """The service."""
    api_key: str | None = field(default=None, repr=False)
    """API key of the Gemini API."""
    google: GoogleCredentials = field(default=GoogleCredentials(), repr=False)
    """The account, if there is no API key."""
    host: str | None = None
    """Base URL override; a path prefix is kept."""
    api_version: str | None = None
    """API version in URLs; None: `version` chooses it."""
    project: str | None = None
    """Google Cloud project, needed on Vertex AI."""
    location: str = vertex.DEFAULT_LOCATION
    """The location on Vertex AI, which decides the host."""
    staging_uri: str | None = None
    """``gs://bucket/prefix/`` for inputs that Vertex AI has to read from Cloud Storage."""
    storage_endpoint: str | None = None
    """Base URL of Cloud Storage; None: Google's."""
    bigquery_endpoint: str | None = None
    """Base URL of BigQuery; None: Google's."""
    max_enqueued_tokens: Mapping[str, int] = field(default_factory=dict, hash=False)
    """The most tokens of all unfinished jobs together, by the last part of a model's name; ``*``: any other model."""
    max_cost_per_day: float | None = None
    """USD that jobs may cost that tasks create in a day (UTC); None: there is no limit."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot work, before anything is sent.

        Raises:
            ConfigurationError: no project on Vertex AI, no credentials, an unsafe or malformed URL.
        """
        if self.backend is Backend.VERTEX and not self.project:
            msg = 'Vertex AI needs a project: set "project" in the connection\'s extra.'
            raise ConfigurationError(msg)
        self._check_words()
        if self.staging_uri and not self.staging_uri.startswith("gs://"):
            msg = f'"staging_uri" is a gs://bucket/prefix/, not {self.staging_uri!r}.'
            raise ConfigurationError(msg)
        for name, url in (
            ("Host", self.host),
            ("storage_endpoint", self.storage_endpoint),
            ("bigquery_endpoint", self.bigquery_endpoint),
        ):
            if url:
                _check_url(name, url)

    def _check_words(self) -> None:
        """Refuse values that would change a URL, and a key that a header cannot carry (an error would print it)."""
        for name, word, form in (
            ("project", self.project, vertex.PROJECT),
            ("location", self.location, vertex.LOCATION),
            ("api_version", self.api_version, _VERSION),
        ):
            if word and not re.fullmatch(form, word):
                msg = f'"{name}" in the connection\'s extra is {word!r}, which cannot be one.'
                raise ConfigurationError(msg)
        for name, secret in (("Password", self.api_key), ("quota_project", self.google.quota_project)):
            if secret and not (secret.isascii() and secret.isprintable() and secret == secret.strip()):
                msg = f"{name} of the connection contains characters that are not allowed (a space, a line break?)."
                raise ConfigurationError(msg)

    def enqueued_tokens_of(self, model: str) -> int | None:
        """Return the most tokens of a model's unfinished jobs together; None: there is no limit."""
        limits = self.max_enqueued_tokens
        return limits.get(model.rpartition("/")[2], limits.get("*"))

    def refuse_uncounted(self, what: str) -> None:
        """Refuse to create jobs that state no cost, if there is a limit of a day.

        Args:
            what: what would create them.

        Raises:
            ConfigurationError: there is one.
        """
        if self.max_cost_per_day is not None:
            msg = (
                f"The connection has max_cost_per_day={self.max_cost_per_day:g}, which only GenAIBatchOperator holds: "
                f"jobs of {what} would not be counted. Nothing was sent. Use the operator, or a connection without it."
            )
            raise ConfigurationError(msg)

    @property
    def version(self) -> str:
        """The API version in URLs."""
        default = gemini.DEFAULT_VERSION if self.backend is Backend.GEMINI else vertex.DEFAULT_VERSION
        return self.api_version or default

    @property
    def place(self) -> str:
        """Where jobs are created: project and location on Vertex AI. On Gemini, the key does not tell the project."""
        if self.backend is Backend.GEMINI:
            return "gemini"
        return f"projects/{self.project}/locations/{self.location}"

    def base_url(self, location: str | None = None) -> str:
        """Return scheme, host and path prefix of the service; on Vertex the host is that of a location."""
        if self.host:
            return self.host.rstrip("/")
        if self.backend is Backend.GEMINI:
            return gemini.DEFAULT_BASE_URL
        return vertex.base_url(location or self.location)

    @property
    def storage_url(self) -> str:
        """Scheme and host of Cloud Storage."""
        return (self.storage_endpoint or storage.DEFAULT_URL).rstrip("/")


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # for example an incomplete IPv6 address, or a port that is not a number
        good = False
    if (
        not good or parts.hostname is None
    ):  # the value is not shown, because it may be a key in the wrong field
        msg = f"{name} of the connection is not a URL such as https://host."
        raise ConfigurationError(msg)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = f"{name} of the connection carries credentials or a query; keep secrets in the Password field."
        raise ConfigurationError(msg)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        msg = (
            f"{name} of the connection is plain http to {parts.hostname}: that is accepted for loopback only."
        )
        raise ConfigurationError(msg)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
