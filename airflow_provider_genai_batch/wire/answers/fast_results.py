"""Fast path for the usual line: one answer with one text and its tokens.

A job has millions of rows. A typed decoder skips what no row has, which saves most of the time. A line with any member
that is not named here is read by `wire.answers.results`. Both paths make the same row of a line and count the same as
dropped, with one exception: in members that it skips, this path accepts bytes that are not UTF-8.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType
from msgspec.json import Decoder

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answers.answer import PlainRow, Reading
from airflow_provider_genai_batch.wire.answers.gemini import USUAL
from airflow_provider_genai_batch.wire.keys import read_key, stamped_index


class _Object(Struct, gc=False):
    """Anything in braces, passed over."""


class _List(Struct, gc=False, array_like=True):
    """Anything in brackets, passed over."""


# Members that no row has: only their presence counts. Null and empty text take the slow path.
_Text: TypeAlias = Annotated[str, Meta(min_length=1)] | UnsetType
_Number: TypeAlias = float | UnsetType
_Some: TypeAlias = _List | UnsetType


class _Part(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    text: str
    thought_signature: _Text = UNSET


class _Content(Struct, gc=False, forbid_unknown_fields=True):
    parts: tuple[_Part]
    role: Literal["model"] = "model"


class _Candidate(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    content: _Content
    finish_reason: Literal["STOP", "MAX_TOKENS"]
    index: Literal[0] = 0
    avg_logprobs: _Number = UNSET
    safety_ratings: _Some = UNSET
    score: _Number = UNSET


class _Usage(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    prompt_token_count: int
    candidates_token_count: int
    total_token_count: int
    # Zeros are left out, mostly of these two.
    cached_content_token_count: int = 0
    thoughts_token_count: int = 0
    prompt_tokens_details: _Some = UNSET
    candidates_tokens_details: _Some = UNSET
    cache_tokens_details: _Some = UNSET
    traffic_type: _Text = UNSET
    service_tier: _Text = UNSET
    billable_prompt_usage: _Object | UnsetType = UNSET


class _Response(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    candidates: tuple[_Candidate]
    usage_metadata: _Usage
    model_version: str
    response_id: _Text = UNSET
    create_time: _Text = UNSET


class _GeminiLine(Struct, gc=False, forbid_unknown_fields=True):
    key: str
    response: _Response


class _VertexLine(Struct, gc=False, forbid_unknown_fields=True):
    """A line with the request beside the response. With further siblings it takes the slow path."""

    key: str
    response: _Response
    status: Literal[""] = ""
    request: _Object | None = None
    processed_time: str | None = None


_COUNTED = (
    *("responseId", "createTime", "avgLogprobs", "safetyRatings", "score"),
    *("usageMetadata.promptTokensDetails", "usageMetadata.candidatesTokensDetails"),
    *("usageMetadata.cacheTokensDetails", "usageMetadata.trafficType", "usageMetadata.serviceTier"),
    "usageMetadata.billablePromptUsage",
)
"""Kinds of members that a line on this path may have and no row has."""


class UsualRows:
    """Reads the lines of one service."""

    def __init__(self, backend: Backend, reading: Reading) -> None:
        self._marked = backend is Backend.VERTEX
        self._dropped, self._cut_off_is_good = reading.dropped, reading.cut_off_is_good
        self._decoder: Decoder[Any] = Decoder(_VertexLine if self._marked else _GeminiLine)

    def all(self, block: bytes) -> list[PlainRow] | None:
        """Read lines; None if any of them needs the slow path."""
        try:
            return self._rows(self._decoder.decode_lines(block))
        except (ValueError, DecodeError, RecursionError):  # before msgspec 0.21 its own is no ValueError
            return None

    def one(self, line: bytes) -> PlainRow | None:
        """Read a line; None if it needs the slow path."""
        try:
            return self._rows([self._decoder.decode(line)])[0]
        except (ValueError, DecodeError, RecursionError):
            return None

    def _rows(self, lines: list[Any]) -> list[PlainRow]:  # noqa: C901, PLR0912 - a call a row would cost a tenth
        """Make rows of lines, and count what they do not have.

        Raises:
            ValueError: a line needs the slow path; then nothing is counted.
        """
        marked, missing, usual, cut_off_is_good = self._marked, UNSET, USUAL, self._cut_off_is_good
        rows = []
        ids = times = averages = ratings = scores = asked = answered = cached = traffic = tiers = billed = 0
        for line in lines:
            key, response = line.key, line.response
            candidate, usage = response.candidates[0], response.usage_metadata
            part = candidate.content.parts[0]
            text, reason, total = part.text, candidate.finish_reason, usage.total_token_count
            if not text or not total or (reason is not usual and not cut_off_is_good):
                raise ValueError
            if marked:
                key = read_key(key)
            row = {
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
            if part.thought_signature is not missing:
                row["parts"] = [{"candidate": 0, "part": 0, "thought_signature": part.thought_signature}]
            rows.append(row)
            if response.response_id is not missing:
                ids += 1
            if response.create_time is not missing:
                times += 1
            if candidate.avg_logprobs is not missing:
                averages += 1
            if candidate.safety_ratings is not missing:
                ratings += 1
            if candidate.score is not missing:
                scores += 1
            if usage.prompt_tokens_details is not missing:
                asked += 1
            if usage.candidates_tokens_details is not missing:
                answered += 1
            if usage.cache_tokens_details is not missing:
                cached += 1
            if usage.traffic_type is not missing:
                traffic += 1
            if usage.service_tier is not missing:
                tiers += 1
            if usage.billable_prompt_usage is not missing:
                billed += 1
        numbers = (ids, times, averages, ratings, scores, asked, answered, cached, traffic, tiers, billed)
        for kind, number in zip(_COUNTED, numbers, strict=True):
            if number:
                self._dropped.count(kind, number)
        return rows
