"""Objects in a bucket that are written directly, without a copy on the worker's disk."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from typing_extensions import override

from airflow_provider_genai_batch.client.storage.uploads import begin_object, send_object_part
from airflow_provider_genai_batch.exceptions import CallError
from airflow_provider_genai_batch.results.digest import Digest
from airflow_provider_genai_batch.task.files.object_storage import (
    TURNS,
    comes_to,
    holds,
    object_at,
    provider_errors,
    remove_abandoned_parts,
    remove_part,
)
from airflow_provider_genai_batch.wire.services.files import CHUNK_BYTES

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client import GenAIBatchClient


class Target(Protocol):
    """Where the bytes of an object go. It appears whole, or not at all."""

    def write(self, data: Any) -> None:
        """Write the next bytes."""

    def publish(self, digest: Digest) -> None:
        """Let the object appear; `digest` is that of all bytes."""

    def discard(self) -> None:
        """Delete what was written if possible. A failure is not raised, so that it does not hide an earlier error."""


class StreamedObject(io.RawIOBase):
    """Writes an object from its start to its end; `publish` lets it appear.

    ``seek(0)`` discards what was written and starts again.

    Args:
        target: where the bytes go.
    """

    def __init__(self, target: Target) -> None:
        self._target, self._digest = target, Digest()

    @override
    def writable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self._digest.size

    @override
    def seek(self, offset: int, whence: int = 0) -> int:
        if offset or whence:
            msg = "an object is written from its start to its end"
            raise io.UnsupportedOperation(msg)
        if self._digest.size:
            self.discard()
            self._digest = Digest()
        return 0

    @override
    def truncate(self, size: int | None = None) -> int:
        return self._digest.size

    @override
    def write(self, data: Any) -> int:
        self._target.write(data)
        return self._digest.feed(data)

    def publish(self) -> None:
        """Let the object appear.

        Raises:
            OSError: it cannot be written, or others keep writing there.
        """
        self._target.publish(self._digest)

    def discard(self) -> None:
        """Delete what was written if possible. A failure is not raised, so that it does not hide an earlier error."""
        self._target.discard()


class MovedObject:
    """An object in Airflow's object storage: it is written under a temporary name and then moved.

    If another writer of the same rows is first, this counts as success.

    Args:
        uri: the address of the object.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._part: Any = None
        self._out: Any = None

    def write(self, data: Any) -> None:
        """Write the next bytes."""
        with provider_errors():
            self._opened().write(data)

    def publish(self, digest: Digest) -> None:
        """Move the object to its name.

        Raises:
            OSError: it cannot be written, or others keep writing there.
        """
        target, moved, trouble = object_at(self._uri), False, OSError()
        with provider_errors():
            self._opened().close()
        try:
            for _ in range(TURNS):
                if not moved:
                    try:
                        with provider_errors():
                            self._part.replace(target)
                    except OSError as error:
                        trouble = error
                    else:
                        moved, trouble = True, OSError("another writer keeps writing other rows there")
                        if comes_to(target, digest.size):
                            break
                if holds(target, digest.size, str(digest)):
                    break
            else:
                raise trouble
        finally:
            self.discard()
        remove_abandoned_parts(target, target)

    def discard(self) -> None:
        """Delete what was written if possible. A failure is not raised, so that it does not hide an earlier error."""
        part, out, self._part, self._out = self._part, self._out, None, None
        if out is not None:
            with suppress(OSError), provider_errors():
                out.close()
            remove_part(part)

    def _opened(self) -> Any:
        if self._out is None:
            self._part = object_at(f"{self._uri}.{uuid4().hex}.part")
            with provider_errors():
                self._out = self._part.open("wb")
        return self._out


class UploadedObject:
    """An object in Cloud Storage, written by the task's connection: it appears when the last byte has arrived.

    Args:
        uri: the address of the object.
        client: the client of the task's connection.
    """

    def __init__(self, uri: str, client: GenAIBatchClient) -> None:
        self._uri, self._client = uri, client
        self._session: str | None = None
        self._kept = bytearray()
        self._sent = 0

    def write(self, data: Any) -> None:
        """Write the next bytes; at most `CHUNK_BYTES` of them wait in memory.

        Raises:
            OSError: they cannot be written there.
        """
        self._kept += data
        while len(self._kept) > CHUNK_BYTES:
            self._send(CHUNK_BYTES, last=False)

    def publish(self, digest: Digest) -> None:
        """Send the last bytes.

        Raises:
            OSError: they cannot be written there.
        """
        self._send(digest.size - self._sent, last=True)
        self._session = None

    def discard(self) -> None:
        """Cancel the upload if it is running; otherwise it would end by itself after a week."""
        session, self._session = self._session, None
        self._kept.clear()
        self._sent = 0
        if session is not None:
            with suppress(CallError):
                self._client.perform(self._client.calls.cancel_object(session))

    def _send(self, size: int, *, last: bool) -> None:
        client = self._client
        try:
            if self._session is None:
                self._session = client.run(begin_object(client.calls, self._uri))
            part = bytes(memoryview(self._kept)[:size])
            del self._kept[:size]
            client.run(send_object_part(client.calls, self._session, self._sent, part, last=last))
        except CallError as error:
            # The callers of row readers take a CallError for trouble with the job, which this is not.
            raise OSError(str(error)) from error
        self._sent += size
