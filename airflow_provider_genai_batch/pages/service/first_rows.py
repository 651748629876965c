"""Reads the first rows of a task through its connection: a few rows from a bounded part of the file."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.hooks.genai_batch import open_client
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.pages.service.threads import start
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.results.read_back import columns_as_rows, plain
from airflow_provider_genai_batch.results.sinks import form_of
from airflow_provider_genai_batch.task.files.files import read_chunks, spool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_genai_batch.client import GenAIBatchClient

STATUSES = ("ok", "invalid", "error", "cancelled", "missing")
MOST = 50
"""The most rows that are shown."""
MOST_BYTES = 8 * 1024 * 1024
"""The most uncompressed bytes of rows that are searched."""
_MOST_COLUMNS = 64 * 1024 * 1024
"""The most bytes of a Parquet file, which can only be read as a whole."""
_MOST_SCANNED = 20_000
"""The most rows that are read from the service."""
_TEXT = 600
"""The most characters of an answer that are shown."""
_PATIENCE = 25.0


@dataclass(frozen=True)
class ShownRow:
    """A row, formatted for people."""

    key: str
    status: str
    answer: str
    finish_reason: str
    tokens: int | None


@dataclass(frozen=True)
class FirstRows:
    """Rows, or why there are none.

    Attributes:
        rows: the rows with the wanted status, in the order of the file.
        scanned: how many rows were searched.
        whole: whether these were all rows.
        trouble: why the rows cannot be shown; empty: they can.
    """

    rows: tuple[ShownRow, ...] = ()
    scanned: int = 0
    whole: bool = False
    trouble: str = ""


def first_rows(conn_id: str, manifest: Manifest, status: str) -> FirstRows:
    """Return the first rows of a task.

    Args:
        conn_id: the task's connection.
        manifest: the task's manifest.
        status: the wanted status of the rows; empty: any.
    """
    if (manifest.results_uri or "").startswith("bq://"):
        return FirstRows(trouble="The rows are in BigQuery: read them with SQL.")
    try:
        return start(lambda: _read(conn_id, manifest, status), "rows").result(_PATIENCE)
    except NoAnswer:
        return FirstRows(trouble=f"The storage has not answered within {_PATIENCE:.0f} s.")
    except (GenAIBatchError, AirflowNotFoundException) as error:
        return FirstRows(trouble=f"{type(error).__name__}: {printable(str(error), 300)}")
    except (OSError, EOFError, ValueError, zlib.error, ImportError) as error:
        return FirstRows(trouble=f"The file cannot be read as rows ({type(error).__name__}).")


def _read(conn_id: str, manifest: Manifest, status: str) -> FirstRows:
    found: list[ShownRow] = []
    scanned = 0
    with open_client(conn_id) as client, closing(_rows(client, manifest)) as rows:
        for row in rows:
            if row is None or len(found) == MOST:
                return FirstRows((*found,), scanned)
            scanned += 1
            if not status or row.get("status") == status:
                found.append(_shown(row))
    return FirstRows((*found,), scanned, whole=True)


def _rows(client: GenAIBatchClient, manifest: Manifest) -> Generator[Mapping[str, Any] | None, None, None]:
    """Yield rows; None: a limit is reached, and nothing follows."""
    uri = manifest.results_uri
    if not uri:
        yield from _at_the_service(client, manifest)
    elif form_of(uri) == "parquet":
        yield from _of_columns(client, uri)
    else:
        lines = plain(io.BufferedReader(_Stream(read_chunks(uri, client))), form_of(uri))
        left = MOST_BYTES
        while line := lines.readline(left + 1):
            left -= len(line)
            if left < 0:
                yield None
                return
            row = json.loads(line)
            if isinstance(row, dict) and row.get("status") in STATUSES:
                yield row


def _of_columns(client: GenAIBatchClient, uri: str) -> Iterator[Mapping[str, Any] | None]:
    with spool() as stream:
        for chunk in read_chunks(uri, client):
            stream.write(chunk)
            if stream.tell() > _MOST_COLUMNS:
                yield None
                return
        stream.seek(0)
        yield from columns_as_rows(stream)


def _at_the_service(client: GenAIBatchClient, manifest: Manifest) -> Iterator[Mapping[str, Any] | None]:
    scanned = 0
    for name in manifest.job_names:
        for row in client.plain_rows(name):
            scanned += 1
            if scanned > _MOST_SCANNED:
                yield None
                return
            yield row


def _shown(row: Mapping[str, Any]) -> ShownRow:
    error, usage = row.get("error"), row.get("usage")
    said = row.get("text")
    if said is None and row.get("output") is not None:
        said = json.dumps(row["output"], ensure_ascii=False, default=str)
    if isinstance(error, Mapping):
        said = f"{error.get('code') or ''} {error.get('message') or error.get('status') or ''}".strip()
    tokens = usage.get("total") if isinstance(usage, Mapping) else None
    key = row.get("key")
    return ShownRow(
        printable("" if key is None else str(key), 200),
        str(row.get("status")),
        printable(str(said or ""), _TEXT),
        printable(str(row.get("finish_reason") or ""), 100),
        tokens if isinstance(tokens, int) else None,
    )


class _Stream(io.RawIOBase):
    """A stream over chunks of bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), b""

    def readable(self) -> bool:
        """Return True, because the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, or a part of it."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
