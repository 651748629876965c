"""Parts of an input that was read: what stands for them, and the requests to ask again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from pydantic_core import SchemaValidator, core_schema

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, read_custom_id, read_key, stamp

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
    """Read lines that were checked from the first to the last, each with its key if it has one."""
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
    """What stands for requests: their number, a digest of their lines, and their keys added up.

    Args:
        first: place of the first request in the whole input.
    """

    first: int = 0
    rows: int = 0
    stamped: int = 0
    """Keys that are the stamps of the places from `first` on."""
    key_sum: int = 0
    _sha256: Any = field(default_factory=hashlib.sha256, repr=False)

    def add(self, key: str | None, line: bytes = b"") -> None:
        """Take the next one."""
        if key is not None:
            self.stamped += key == stamp(self.first + self.rows)
            self.key_sum = (self.key_sum + key_digest(key)) & MASK
        self.rows += 1
        self._sha256.update(line)

    def add_stamped(self, key: str, line: bytes) -> None:
        """Take the next one, whose key is known to be the stamp of its place."""
        self.key_sum = (self.key_sum + key_digest(key)) & MASK
        self.stamped += 1
        self.rows += 1
        self._sha256.update(line)

    @property
    def sha256(self) -> str:
        """Hex digest of the lines."""
        return cast("str", self._sha256.hexdigest())

    def facts(self) -> dict[str, Any]:
        """Return the numbers as `PreparedInput` calls them."""
        return {"requests": self.rows, "stamped": self.stamped, "key_sum": self.key_sum}
