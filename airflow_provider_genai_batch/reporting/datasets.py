"""OpenLineage names for the places of requests and rows, built without OpenLineage.

Source: OpenLineage's "Naming conventions", and how Airflow's own providers name the same files and tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.wire.parameters.destinations import read_config, read_destination
from airflow_provider_genai_batch.wire.parameters.sources import read_rows, read_source

_GEMINI, _BIGQUERY, _FILE = "gemini", "bigquery", "file"
_VERBATIM = frozenset(("gs", "s3"))
"""Whose keys may hold ``?`` and ``#``; of others these begin what is no name, and may be a signature."""
_ALIASES = {"s3a": "s3", "gcs": "gs", "abfs": "abfss", "wasb": "wasbs"}
_AZURE = ".core.windows.net"


class Place(NamedTuple):
    """A dataset's identity."""

    namespace: str
    name: str


def place_of(address: str | None) -> Place | None:
    """Name one place; None if it is not a place, such as ``inline``.

    Args:
        address: ``gs://bucket/object`` or a prefix, ``bq://p.d.t``, ``files/…``, any object-storage URI or local path.
            Of a pattern, the folder is named. The connection in front of an ``@``, or a password, is never part of it.
    """
    if not address or address == "inline":
        return None
    if address.startswith("files/"):
        return Place(_GEMINI, address)
    scheme, separator, rest = address.partition("://")
    if not separator or scheme in ("file", "local"):
        return Place(_FILE, _folder_of_pattern(rest if separator else address))
    if scheme == "bq":
        return Place(_BIGQUERY, rest) if rest.count(".") == 2 else None
    if scheme not in _VERBATIM:
        parts = urlsplit(address)
        rest = f"{parts.netloc}{parts.path}"
    host, _, key = rest.partition("/")
    user, _, server = host.rpartition("@")
    if user and server.endswith(_AZURE):  # there it is the container
        server = f"{user.partition(':')[0]}@{server}"
    scheme = _ALIASES.get(scheme, scheme) if scheme[:4] not in ("abfs", "wasb") or "@" in server else scheme
    return Place(f"{scheme}://{server}", _folder_of_pattern(key).strip("/") or "/")


def sources_of(src: Any, prompt: Any = None) -> list[Place]:
    """Name where requests come from; empty for requests given in Python, which are not a dataset.

    Args:
        src: as the operator takes it, with its templates rendered.
        prompt: likewise; with it `src` is a table.
    """
    if src is None or isinstance(src, Iterator) or _are_requests(src):
        return []
    try:
        source: BatchSource = read_source(src) if prompt is None else read_rows(src)
    except GenAIBatchError:  # the task says so
        return []
    return named((*source.gcs_uri, source.bigquery_uri, source.file_name, source.path))


def destination_of(dest: Any, config: Any = None) -> BatchDestination | None:
    """Read where Vertex AI is asked to write; None where it is not said, or not so that it can be read."""
    try:
        return read_destination(dest) or read_config(config).destination
    except GenAIBatchError:
        return None


def named(addresses: Iterable[str | None]) -> list[Place]:
    """Name several places, in order and without repetition."""
    return list(dict.fromkeys(place for address in addresses if (place := place_of(address))))


def _are_requests(src: Any) -> bool:
    """Whether a list is of requests, by its first: there may be millions."""
    if not isinstance(src, (list, tuple)):
        return False
    first = src[0] if src else None
    return not (isinstance(first, str) and first.startswith("gs://"))


def _folder_of_pattern(path: str) -> str:
    before, star, _ = path.partition("*")
    return before.rpartition("/")[0] if star else path
