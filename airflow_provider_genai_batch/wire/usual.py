"""The straight way to the rows that nearly all are: an answer with one text, its tokens told.

Rows come by the million. To tell the decoder what such a line holds spares reading all else that stands in it. A line
that is not certainly so goes the long way, in `wire.results`; both read such a line as the same row. The straight way
alone does not mind bytes that are no UTF-8 in what it skips.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answer import PlainRow
from airflow_provider_genai_batch.wire.gemini_answers import WHOLE
from airflow_provider_genai_batch.wire.keys import read_key, stamped_index


class _Part(Struct, gc=False):
    text: str
    # With one of these the text is not all of the answer, or none of it.
    thought: UnsetType = UNSET
    functionCall: UnsetType = UNSET  # noqa: N815 - the service's name
    function_call: UnsetType = UNSET


class _Content(Struct, gc=False):
    parts: tuple[_Part]


class _Candidate(Struct, gc=False, rename="camel"):
    content: _Content
    finish_reason: str


class _Usage(Struct, gc=False, rename="camel"):
    prompt_token_count: int
    candidates_token_count: int
    total_token_count: int
    # Zeros are left out, mostly of these two.
    cached_content_token_count: int = 0
    thoughts_token_count: int = 0
    # The other spelling of what may be left out.
    other_cached: UnsetType = field(default=UNSET, name="cached_content_token_count")
    other_thoughts: UnsetType = field(default=UNSET, name="thoughts_token_count")


class _Response(Struct, gc=False, rename="camel"):
    candidates: list[_Candidate]
    usage_metadata: _Usage
    model_version: str
    embedding: UnsetType = UNSET


class _GeminiLine(Struct, gc=False, forbid_unknown_fields=True):
    key: str
    response: _Response
    status = ""


class _VertexLine(Struct, gc=False, forbid_unknown_fields=True):
    """Has the request beside it; where more stood beside that, the row has it too."""

    key: str
    response: _Response
    status: str = ""
    request: Raw = Raw(b"null")
    processed_time: Raw = Raw(b"null")


class UsualRows:
    """Reads the lines of one service."""

    def __init__(self, backend: Backend) -> None:
        self._marked = backend is Backend.VERTEX
        self._decoder: Decoder[Any] = Decoder(_VertexLine if self._marked else _GeminiLine)

    def all(self, block: bytes) -> list[PlainRow] | None:
        """Read lines; None where one is not a usual one."""
        try:
            return [self._row(line) for line in self._decoder.decode_lines(block)]
        except (ValueError, DecodeError, RecursionError):  # before msgspec 0.21 its own is no ValueError
            return None

    def one(self, line: bytes) -> PlainRow | None:
        """Read a line; None: it is not a usual one."""
        try:
            return self._row(self._decoder.decode(line))
        except (ValueError, DecodeError, RecursionError):
            return None

    def _row(self, line: Any) -> PlainRow:
        """Make a row of a line.

        Raises:
            ValueError: it is not a usual one.
        """
        key, response = line.key, line.response
        (candidate, *_), usage = response.candidates, response.usage_metadata
        text, reason, total = (
            candidate.content.parts[0].text,
            candidate.finish_reason,
            usage.total_token_count,
        )
        if not text or not total or reason not in WHOLE or line.status.strip():
            raise ValueError
        if self._marked:
            key = read_key(key)
        return {
            "key": key,
            "index": stamped_index(key),
            "status": "ok",
            "text": text,
            "output": None,
            "error": None,
            "finish_reason": reason,
            "usage": {
                "input": usage.prompt_token_count,
                "output": usage.candidates_token_count,
                "cached": usage.cached_content_token_count,
                "thoughts": usage.thoughts_token_count,
                "total": total,
            },
            "model_version": response.model_version,
        }
