"""What stands for a request: a digest of all that decides its answer, by the bytes in which it is sent.

Neither the key, nor the place in the input, nor what stands beside the request decides an answer. A request that is
spelled in another way has another digest: it is asked again, and never stands for another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.line_kind import parse
from airflow_provider_genai_batch.requests.line_types import WRONG
from airflow_provider_genai_batch.wire.keys import read_custom_id, read_key

DIGEST_BYTES = 16
_VERSION = 1
"""Of what is digested. Digests of two versions are never equal, so none stands for another request."""
_OF_GOOGLE = "publishers/google/models/"
_NONE = Raw(b"null")


class _Line(Struct, gc=False):
    request: Raw = _NONE
    body: Raw = _NONE
    key: str = ""
    custom_id: str = ""


_read_lines = Decoder(_Line).decode_lines


class RequestDigest:
    """Digests requests to one model.

    Args:
        backend: where they go.
        model: the job's. A model of Google's has one name on both services here.
    """

    def __init__(self, backend: Backend, model: str) -> None:
        self._marks = backend is Backend.VERTEX
        name = model.partition(_OF_GOOGLE)[2] or model.removeprefix("models/")
        self._begin = blake2b(json.dumps([_VERSION, name]).encode(), digest_size=DIGEST_BYTES)

    def of(self, lines: Sequence[bytes]) -> list[tuple[str, bytes]]:
        """Return key and digest (16 bytes) of each line of an input that was checked."""
        try:
            found = _read_lines(b"".join(lines))
        except WRONG:
            found = []
        if len(found) != len(lines):
            return [*map(self._of_odd, lines)]
        begin, asked = self._begin, []
        for line in found:
            digest = begin.copy()
            digest.update(line.request if line.request is not _NONE else line.body)
            asked.append((self._key(line.key, line.custom_id), digest.digest()))
        return asked

    def _key(self, key: str, custom_id: str) -> str:
        if not key:
            return read_custom_id(custom_id)
        return read_key(key) if self._marks else key

    def _of_odd(self, line: bytes) -> tuple[str, bytes]:
        """Take a line that only the more lenient of two readers of JSON takes."""
        row: dict[str, Any] = parse(line)
        digest = self._begin.copy()
        digest.update(json.dumps(row.get("request", row.get("body")), sort_keys=True).encode())
        return self._key(row.get("key", ""), row.get("custom_id", "")), digest.digest()


def digests(lines: Iterable[bytes], backend: Backend, model: str) -> list[str]:
    """Return the digests of lines as rows have them, in hexadecimal digits."""
    return [asked.hex() for _, asked in RequestDigest(backend, model).of([*lines])]
