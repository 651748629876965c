"""Writes pictures and sound of answers as files while their rows are read."""

from __future__ import annotations

import logging
import os
import shutil
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.results.media import LONGEST_NAME, Base64Bytes, digest_of_bytes, media_name
from airflow_provider_genai_batch.task.files.drafts import draft_of, remove_abandoned
from airflow_provider_genai_batch.task.files.files import (
    check_place,
    check_writable,
    local_path,
    publish_once,
)
from airflow_provider_genai_batch.wire.answers.media import media_kind

log = logging.getLogger(__name__)

TEXT = "text/plain"
_CHUNK = 256 * 1024
_DRAFTS = "media"
"""Common name of all drafts in a folder, so that abandoned ones are looked for once, not for every file."""


class MediaFolder:
    """Writes the media of answers into a folder. A file's name identifies its content, so it is written once.

    Args:
        uri: address of the folder, in object storage or on this machine.
        client: the client of the task's connection.
        write: False only returns what is, or would be, in the folder.
    """

    def __init__(self, uri: str, client: GenAIBatchClient, *, write: bool = True) -> None:
        self._uri, self._client, self._write = uri, client, write
        path = local_path(uri)
        self._path = None if path is None else path.absolute()
        self._looked = False

    def __call__(
        self, key: str | None, candidate: int, part: int, mime_type: str | None, data: str
    ) -> dict[str, Any]:
        """Write one file and return the members for its row: `mime_type`, `bytes`, `sha256` and `uri`.

        Args:
            key: the row's key.
            candidate: index of the candidate.
            part: index among the candidate's parts.
            mime_type: the type that the service reports; None: it reports none.
            data: base64.

        Raises:
            OSError: the file cannot be written; the message has its address.
        """
        kind = media_kind(mime_type or "")
        stream: Base64Bytes | BytesIO = BytesIO()
        try:
            stream = Base64Bytes(data, kind.header)
            size, digest = stream.size, digest_of_bytes(stream)
        except ValueError as error:
            # It is paid for, and may still be useful.
            shown = printable(f"{mime_type} of row {key}", 200)
            log.warning("%s is kept as the text in which it arrived: %s", shown, error)
            text, kind = data.encode(errors="surrogatepass"), media_kind(TEXT)
            stream, size, digest = BytesIO(text), len(text), sha256(text).hexdigest()
        uri = self._address(media_name(key, candidate, part, digest, kind.ending))
        if self._write:
            try:
                self._publish(uri, cast("BinaryIO", stream), size, kind.mime_type)
            except OSError as error:
                msg = f"{uri}: {error}"
                raise OSError(msg) from error
        return {"mime_type": kind.mime_type, "bytes": size, "sha256": digest, "uri": uri}

    def _address(self, name: str) -> str:
        if "://" in self._uri or self._path is None:
            return f"{self._uri.rstrip('/')}/{name}"
        return str(self._path / name)

    def _publish(self, uri: str, stream: BinaryIO, size: int, mime_type: str) -> None:
        if self._path is None:
            part_of, tidy = self._address(_DRAFTS), not self._looked
            did = publish_once(
                uri, self._client, stream, size, mime_type=mime_type, part_of=part_of, tidy=tidy
            )
            self._looked = self._looked or did
            return
        path = self._path / uri.rpartition("/")[2]
        if _size(path) != size:
            self._write_here(path, stream)

    def _write_here(self, path: Path, stream: BinaryIO) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part, out = draft_of(path.with_name(_DRAFTS))
        try:
            with out:
                if not self._looked:
                    remove_abandoned(path.with_name(_DRAFTS), part)
                    self._looked = True
                shutil.copyfileobj(stream, out, _CHUNK)
                out.flush()
                os.fsync(out.fileno())
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def check_media_place(uri: str, client: GenAIBatchClient) -> None:
    """Check that a provider serves a folder's address.

    Raises:
        ConfigurationError: no provider does.
    """
    check_place(_probe(uri), client)


def check_media_writable(uri: str, client: GenAIBatchClient) -> None:
    """Check, before anything is paid, that media can be written into a folder. The check leaves nothing there.

    Raises:
        ConfigurationError: media cannot be written; the message says why.
    """
    check_writable(_probe(uri), client, what="Pictures and sound", given=f"media_uri {uri}")


def _probe(uri: str) -> str:
    return f"{uri.rstrip('/')}/{LONGEST_NAME}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
