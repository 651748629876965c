"""The quick look: most lines are right as they are and need no more of them read than the key.

To tell the decoder what a line holds spares reading all else that stands in it into Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from msgspec import DecodeError, Meta, Raw, Struct
from msgspec.json import Decoder

from airflow_provider_genai_batch.models.base import Task
from airflow_provider_genai_batch.wire.keys import MAX_KEY_CHARACTERS

Glance: TypeAlias = Callable[[bytes], "str | None"]
"""Returns the key of a line that is certainly right, None for one to be looked at."""


class _Object(Struct, gc=False):
    pass


class _Content(Struct, gc=False):
    parts: Raw


class _Generate(Struct, gc=False):
    contents: Annotated[list[_Object], Meta(min_length=1)]
    config: None = None


class _Embed(Struct, gc=False):
    content: _Content
    config: None = None


class _Line(Struct, gc=False, forbid_unknown_fields=True):
    key: Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARACTERS)]


class _GenerateLine(_Line, gc=False, forbid_unknown_fields=True):
    request: _Generate


class _EmbedLine(_Line, gc=False, forbid_unknown_fields=True):
    request: _Embed


def always_look(line: bytes) -> None:
    """Call for a closer look at every line."""


def glance_at(task: Task) -> Glance:
    """Return the quick look for lines ``{"key": …, "request": {…}}`` that go to Gemini."""
    return _GLANCES[task]


def _glance(kind: type[_Line]) -> Glance:
    read: Callable[[bytes], Any] = Decoder(kind).decode

    def look(line: bytes) -> str | None:
        try:
            if not line.isascii():
                line.decode()  # strings that are passed over may hold any bytes
            found: str = read(line).key
        except (ValueError, DecodeError, RecursionError):  # before msgspec 0.21 its own is no ValueError
            return None
        return found

    return look


_GLANCES = {Task.GENERATE: _glance(_GenerateLine), Task.EMBED: _glance(_EmbedLine)}
