"""Digests of an input or of a part of it, and its lines with their keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from msgspec import Struct
from msgspec.json import Decoder
from pydantic_core import SchemaValidator, core_schema

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.requests.line_types import WRONG
from airflow_provider_genai_batch.wire.keys import (
    MASK,
    key_digest,
    read_custom_id,
    read_key,
    stamp,
    stamps,
    sum_of_stamps,
)

_TOGETHER = 64 * 1024
"""About how many bytes of lines are read at a time, unless a single line has more."""


class _Line(Struct, gc=False):
    key: str | None = None
    custom_id: Any = None


_read_together = Decoder(_Line).decode_lines

_read = SchemaValidator(
    core_schema.typed_dict_schema(
        {
            "key": core_schema.typed_dict_field(core_schema.str_schema(strict=True), required=False),
            "custom_id": core_schema.typed_dict_field(core_schema.any_schema(), required=False),
        },
        extra_behavior="ignore",
    )
).validate_json


def keyed_lines(stream: BinaryIO, backend: Backend) -> Iterator[tuple[Sequence[str | None], list[bytes]]]:
    """Yield all checked lines, several at a time, and the key of each if it has one."""
    stream.seek(0)
    while lines := stream.readlines(_TOGETHER):
        try:
            found = _read_together(b"".join(lines))
        except WRONG:
            found = []
        if len(found) != len(lines):  # only the more lenient of two JSON readers accepts one of them
            found = [_Line(**_read(line)) for line in lines]
        keys: list[str | None] = [line.key for line in found]
        if not all(keys):
            keys = [_own_or_custom(line) for line in found]
        elif backend is not Backend.GEMINI:
            keys = [*map(read_key, cast("list[str]", keys))]
        yield keys, lines


def _own_or_custom(line: _Line) -> str | None:
    if not line.key and isinstance(line.custom_id, str):  # a partner's
        return read_custom_id(line.custom_id)
    return line.key


@dataclass
class InputDigest:
    """Number of requests, digest of their lines, and checksum of their keys.

    Args:
        first: position of the first request in the whole input.
    """

    first: int = 0
    rows: int = 0
    stamped: int = 0
    """Number of keys that are generated from positions, starting at `first`."""
    _others: int = 0
    """Checksum of the keys from the first one that is not generated."""
    _begin: int = 0
    """Number of keys before that one."""
    _sha256: Any = field(default_factory=hashlib.sha256, repr=False)

    def add(self, key: str | None, line: bytes = b"") -> None:
        """Add the next request."""
        if key is not None:
            in_place = key == stamp(self.first + self.rows)
            self.stamped += in_place
            if not in_place or self._begin != self.rows:
                self._others += key_digest(key)
            else:
                self._begin += 1
        self.rows += 1
        self._sha256.update(line)

    def add_all(self, keys: Sequence[str | None], lines: Sequence[bytes]) -> None:
        """Add the next requests."""
        begin, number = self.first + self.rows, len(keys)
        stamped = self._begin == self.rows and keys[:1] == [stamp(begin)]
        if not stamped or keys != stamps(begin, begin + number):
            for key, line in zip(keys, lines, strict=True):
                self.add(key, line)
            return
        self.rows += number
        self.stamped += number
        self._begin += number
        self._sha256.update(b"".join(lines))

    @property
    def key_sum(self) -> int | None:
        """Checksum of the keys; None: all keys are generated from their positions."""
        if self.stamped == self.rows:
            return None
        return (self._others + sum_of_stamps(self.first, self.first + self._begin)) & MASK

    @property
    def sha256(self) -> str:
        """Hex digest of the lines."""
        return cast("str", self._sha256.hexdigest())

    def facts(self) -> dict[str, Any]:
        """Return the values by their field names in `PreparedInput`."""
        return {"requests": self.rows, "stamped": self.stamped, "key_sum": self.key_sum}
