"""An object in Airflow's object storage that is written directly, without a copy on the worker's disk."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any
from uuid import uuid4

from typing_extensions import override

from airflow_provider_genai_batch.results.digest import Digest, digest_of
from airflow_provider_genai_batch.task.files.object_storage import (
    TURNS,
    comes_to,
    object_at,
    provider_errors,
    remove_abandoned_parts,
    remove_part,
)


class StreamedObject(io.RawIOBase):
    """Writes bytes under a temporary name; `publish` moves them to the object's name.

    ``seek(0)`` discards what was written and starts again.

    Args:
        uri: the address of the object.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._part: Any = None
        self._out: Any = None
        self._digest = Digest()

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
        with provider_errors():
            self._opened().write(data)
        return self._digest.feed(data)

    def publish(self) -> None:
        """Move the object to its name.

        If another writer of the same rows is first, this counts as success.

        Raises:
            OSError: it cannot be written, or others keep writing there.
        """
        target, trouble = object_at(self._uri), None
        with provider_errors():
            self._opened().close()
        try:
            for _ in range(TURNS):
                try:
                    with provider_errors():
                        self._part.replace(target)
                except OSError as error:
                    trouble = error
                else:
                    trouble = None
                    if comes_to(target, self._digest.size):
                        break
                if self._is_there(target):
                    break
            else:
                msg = "another writer keeps writing other rows there"
                raise trouble or OSError(msg)
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

    def _is_there(self, target: Any) -> bool:
        """Whether another writer of the same rows was first."""
        if not comes_to(target, self._digest.size):
            return False
        try:
            with provider_errors(), target.open("rb") as there:
                return digest_of(there) == str(self._digest)
        except OSError:
            return False
