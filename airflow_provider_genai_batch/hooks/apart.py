"""Whether rows would land on top of the requests that they answer."""

from __future__ import annotations

from pathlib import Path
from posixpath import normpath
from urllib.parse import urlsplit

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.hooks.files import local_path
from airflow_provider_genai_batch.hooks.objects import matcher
from airflow_provider_genai_batch.models import BatchSource

_SPELLINGS = {"s3a": "s3", "gcs": "gs", "local": "file"}
"""Schemes by which the same place has another name."""


def check_apart(source: BatchSource, results_uri: str | None) -> None:
    """Refuse to land rows where requests are, or where the next attempt would take them for requests.

    Raises:
        ConfigurationError: they would.
    """
    if results_uri is None:
        return
    rows = _place(results_uri)
    for given in (source.path, *source.gcs_uri):
        if given and matcher(_place(given))(rows):
            msg = (
                f"results_uri {results_uri} is part of src {given}: the rows would take the place of the requests. "
                "Give results_uri another name."
            )
            raise ConfigurationError(msg)


def _place(uri: str) -> str:
    """Spell an address in one way. The connection in it is left out: most buckets are one thing for all of them."""
    path = local_path(uri)
    if path is not None:
        return f"file://{Path(path).resolve()}"
    parts = urlsplit(uri)
    scheme = _SPELLINGS.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{normpath(parts.path)}"
