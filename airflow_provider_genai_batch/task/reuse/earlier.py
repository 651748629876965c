"""Earlier results: their addresses, and their rows."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import InputError, NotFound
from airflow_provider_genai_batch.models import Manifest, Reuse
from airflow_provider_genai_batch.requests.line_types import WRONG
from airflow_provider_genai_batch.results.read_back import plain
from airflow_provider_genai_batch.results.sinks import FORMS, form_of
from airflow_provider_genai_batch.task.files.files import local_path, matching_files, seekable
from airflow_provider_genai_batch.task.reuse.named import named
from airflow_provider_genai_batch.task.reuse.stored_rows import StoredRows, rows_of_columns, rows_of_lines
from airflow_provider_genai_batch.wire.tables.sql import is_table

_BROKEN = (*WRONG, OSError, EOFError, zlib.error)
"""The errors that readers raise for a file that is incomplete or has no rows in it."""


def read_reuse(value: Any) -> Reuse | None:
    """Read the parameter ``reuse``; None if nothing is used again."""
    if value is None or value is False:
        return None
    return value if isinstance(value, Reuse) else Reuse(results=value)


def addresses(
    client: GenAIBatchClient,
    reuse: Reuse,
    own: str,
    manifest: Callable[[], Mapping[str, Any] | None],
    read: Callable[[Any], Manifest],
) -> tuple[list[str], list[str]]:
    """Return the addresses of earlier results, which may not exist, and the patterns that no file matches.

    The last address named comes first. Files of a pattern are sorted by name, so that dated names come newest first.

    Args:
        client: the client of the task's connection.
        reuse: the parameter that names them.
        own: the task's own ``results_uri``.
        manifest: returns the manifest of the task's latest earlier run, if there is one.
        read: reads a manifest.

    Raises:
        InputError: a name is not that of a file of rows.
    """
    # Of the task's own results, only files answer rows of a file.
    given = [uri for uri, by_hand in named(reuse, own, manifest, read) if by_hand or not is_table(uri)]
    files = {uri: _expanded(client, uri) for uri in given}
    found = [file for uri in given for file in files[uri]]
    for uri in found:
        if is_table(uri):
            msg = (
                f"reuse names {uri}, and the rows of this task land in a file: requests in BigQuery are digested in "
                "another way, so rows in tables cannot answer them. Nothing was sent and nothing is billed. Name files "
                "of landed rows, or leave the table out of reuse: then its requests are sent again."
            )
            raise InputError(msg)
        if not _is_of_rows(uri):
            msg = (
                f"reuse names {uri}, which is not a file of landed rows: these end in .jsonl, .jsonl.gz or .parquet. "
                "Nothing was sent and nothing is billed."
            )
            raise InputError(msg)
    return list(dict.fromkeys(reversed(found))), [uri for uri in files if not files[uri]]


def _expanded(client: GenAIBatchClient, uri: str) -> list[str]:
    path = local_path(uri)
    if "*" not in uri or (path is not None and path.exists()):
        return [uri]
    return [*filter(_is_of_rows, matching_files(uri, client))]


def _is_of_rows(uri: str) -> bool:
    return any(uri.endswith(f".{form}") for form in FORMS)


def earlier_rows(client: GenAIBatchClient, uri: str) -> Iterator[StoredRows]:
    """Yield the rows of a file unchanged, some hundreds at a time.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it cannot be read, or is not a file of rows; the message says why.
        CallError: a call failed; a later attempt may succeed.
    """
    form = form_of(uri)
    number = 0
    try:
        with seekable(uri, client) as stream:
            if form == "parquet":
                yield from rows_of_columns(stream)
                return
            for some in rows_of_lines(plain(stream, form)):
                yield some
                number += some.count
    except NotFound as error:
        raise FileNotFoundError(uri) from error
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise FileNotFoundError(uri) from error
        raise InputError(unreadable(uri, str(error))) from error
    except _BROKEN as error:
        near = f" near line {number + 1}" if form != "parquet" else ""
        raise InputError(unreadable(uri, f"it is no whole file of rows ({error}{near})")) from error


def unreadable(uri: str, why: str) -> str:
    """Return the message for earlier results that exist and cannot be read, with the remedies."""
    return (
        f"Earlier results at {uri} are there, and cannot be read: {why.rstrip('.')}. Nothing was sent and "
        "nothing is billed. Repair the file, delete it, or leave it out of reuse: then its requests are sent again."
    )
