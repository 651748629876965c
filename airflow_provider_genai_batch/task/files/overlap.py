"""Checks that rows and media do not overwrite requests or other rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from posixpath import normpath
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.task.files.files import local_path
from airflow_provider_genai_batch.task.files.objects import matcher, pattern_of

log = logging.getLogger(__name__)

_FILE = "key-0-0-0123456789abcdef.png"
"""A name as media files have it."""
_SPELLINGS = {"s3a": "s3", "gcs": "gs", "local": "file"}
"""Schemes that are other names of the same place."""


def refuse_overlap(source: BatchSource, results_uri: str | None) -> None:
    """Refuse to land rows at the address of requests, or where the next attempt would read them as requests.

    Raises:
        ConfigurationError: they would land there.
    """
    if results_uri is None:
        return
    rows = _place(results_uri)
    for given in (source.path, *source.gcs_uri):
        if given and matcher(_place(pattern_of(given)))(rows):
            msg = (
                f"results_uri {results_uri} is part of src {given}: the rows would take the place of the requests. "
                "Give results_uri another name."
            )
            raise ConfigurationError(msg)


def refuse_media_overlap(source: BatchSource | None, results_uri: str | None, media_uri: str | None) -> None:
    """Refuse to write media at the address of rows, or where the next attempt would read them as requests.

    Args:
        source: the source of the requests, if it is known.
        results_uri: the address of the rows.
        media_uri: the folder of the media. Other files in it are left alone, also those of other tasks.

    Raises:
        ConfigurationError: they would be written there.
    """
    if media_uri is None:
        return
    folder = _place(media_uri)
    given_places = [("results_uri", results_uri)]
    if source is not None:
        given_places += [("src", given) for given in (source.path, *source.gcs_uri)]
    for name, given in given_places:
        if not given:
            continue
        place = _place(given)
        if f"{folder}/".startswith(f"{place}/") or ("*" in place and matcher(place)(f"{folder}/{_FILE}")):
            msg = (
                f"media_uri {media_uri} is part of {name} {given}: pictures and sound would end up among what is "
                f"read there. Give media_uri a folder of its own."
            )
            raise ConfigurationError(msg)


def warn_of_one_file(context: Mapping[str, Any], results_uri: str | None) -> None:
    """Warn if all mapped task instances land their rows at the same address, because only the last rows would stay."""
    ti = context["ti"]
    if results_uri is None or ti.map_index < 0:
        return
    tasks: Mapping[str, Any] = getattr(context.get("dag"), "task_dict", {})
    given = getattr(tasks.get(ti.task_id), "partial_kwargs", {}).get("results_uri")
    if isinstance(given, str) and "{{" not in given and "{%" not in given:
        log.warning(
            "Every mapped task of %s lands its rows at the same results_uri, %s, replacing those of the task before "
            "it. Give each its own address, with {{ ti.map_index }} in it.",
            ti.task_id,
            results_uri,
        )


def _place(uri: str) -> str:
    """Return an address in one spelling, without the connection: most buckets are the same for all connections."""
    path = local_path(uri)
    if path is not None:
        return f"file://{Path(path).resolve()}"
    parts = urlsplit(uri)
    scheme = _SPELLINGS.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{normpath(parts.path)}"
