"""The digest of a request: it covers everything that decides the answer, as the bytes that are sent.

The key, the place in the input and the fields beside the request do not affect the answer. The same request in another
spelling has another digest: it is then submitted again, and never takes another request's answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.line_kind import parse
from airflow_provider_genai_batch.requests.line_types import WRONG
from airflow_provider_genai_batch.wire.keys import read_custom_id, read_key
from airflow_provider_genai_batch.wire.lines.framing import line_feeds

DIGEST_BYTES = 16
_VERSION = 1
"""Version of the digested content. Digests of two versions are never equal, so no request takes a wrong answer."""
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
        model: the job's model. A Google model has the same name here on both services.
    """

    def __init__(self, backend: Backend, model: str) -> None:
        self._marks = backend is Backend.VERTEX
        name = model.partition(_OF_GOOGLE)[2] or model.removeprefix("models/")
        self._begin = blake2b(json.dumps([_VERSION, name]).encode(), digest_size=DIGEST_BYTES)

    def of(self, lines: bytes) -> list[tuple[str, bytes]]:
        """Return the key and the digest (16 bytes) of each line of a checked input."""
        try:
            found = _read_lines(lines)
        except WRONG:
            found = []
        if len(found) != line_feeds(lines):
            return [*map(self._of_odd, lines.split(b"\n")[:-1])]
        keys = [line.key for line in found]
        if self._marks or not all(keys):
            keys = [self._key(line.key, line.custom_id) for line in found]
        begin, asked = self._begin.copy, []
        for line in found:
            digest = begin()
            digest.update(line.request if line.request is not _NONE else line.body)
            asked.append(digest.digest())
        return [*zip(keys, asked, strict=True)]

    def _key(self, key: str, custom_id: str) -> str:
        if not key:
            return read_custom_id(custom_id)
        return read_key(key) if self._marks else key

    def _of_odd(self, line: bytes) -> tuple[str, bytes]:
        """Digest a line that only the more lenient of two JSON readers accepts."""
        row: dict[str, Any] = parse(line)
        digest = self._begin.copy()
        digest.update(json.dumps(row.get("request", row.get("body")), sort_keys=True).encode())
        return self._key(row.get("key", ""), row.get("custom_id", "")), digest.digest()


def digests(lines: Iterable[bytes], backend: Backend, model: str) -> list[str]:
    """Return the digests of lines in hexadecimal digits, as rows have them."""
    return [asked.hex() for _, asked in RequestDigest(backend, model).of(b"".join(lines))]
