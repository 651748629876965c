"""Digests of an input or of a part of it, and its lines with their keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from pydantic_core import SchemaValidator, core_schema

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.keys import (
    MASK,
    key_digest,
    read_custom_id,
    read_key,
    stamp,
    sum_of_stamps,
)

_read = SchemaValidator(
    core_schema.typed_dict_schema(
        {
            "key": core_schema.typed_dict_field(core_schema.str_schema(strict=True), required=False),
            "custom_id": core_schema.typed_dict_field(core_schema.any_schema(), required=False),
        },
        extra_behavior="ignore",
    )
).validate_json


def keyed_lines(stream: BinaryIO, backend: Backend) -> Iterator[tuple[str | None, bytes]]:
    """Yield all checked lines, each with its key if it has one."""
    stream.seek(0)
    for line in stream:
        found = _read(line)
        if "key" not in found and isinstance(custom_id := found.get("custom_id"), str):  # a partner's
            yield read_custom_id(custom_id), line
            continue
        key = found.get("key")
        yield (key if key is None or backend is Backend.GEMINI else read_key(key)), line


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
