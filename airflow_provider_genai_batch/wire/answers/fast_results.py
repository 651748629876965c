"""Fast path for the usual line: one answer with one text, its thought signature and its tokens.

A job has millions of rows. A typed decoder skips the members that no row contains, which saves most of the time. A line
with any member that is not named here is read by `wire.answers.results`. Both paths make the same row of a line and
count the same members as dropped, with one exception: in members that it skips, this path accepts bytes that are not
UTF-8.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType
from msgspec.json import Decoder

from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.gemini import USUAL
from airflow_provider_genai_batch.wire.answers.usual_rows import UsualRow, UsualRows, UsualTokens
from airflow_provider_genai_batch.wire.keys import read_key, stamped_indices
from airflow_provider_genai_batch.wire.lines.framing import line_feeds


class _Object(Struct, gc=False):
    """Any object; its content is skipped."""


class _List(Struct, gc=False, array_like=True):
    """Any array; its content is skipped."""


# Members that no row contains: only their presence counts. Null and empty text take the slow path.
_Text: TypeAlias = Annotated[str, Meta(min_length=1)] | UnsetType
_Number: TypeAlias = float | UnsetType
_Some: TypeAlias = _List | UnsetType


class _Part(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    text: Annotated[str, Meta(min_length=1)]
    thought_signature: _Text = UNSET


class _Signature(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    thought_signature: Annotated[str, Meta(min_length=1)]


class _Parts(Struct, gc=False, forbid_unknown_fields=True, array_like=True):
    """A text; often the thought signature has a part of its own."""

    first: _Part
    second: _Signature | UnsetType = UNSET


class _Content(Struct, gc=False, forbid_unknown_fields=True):
    parts: _Parts
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
    total_token_count: Annotated[int, Meta(ge=1)]
    # Zeros are omitted, mostly for these two.
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
    """A line with the request beside the response. With other siblings it takes the slow path."""

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
"""Kinds of members that a line on this path may have and no row contains."""
_UNUSUAL = (ValueError, DecodeError, RecursionError)
"""Errors for other lines: before msgspec 0.21 its own error is not a ValueError."""


def _is_whole(line: Any) -> bool:
    """Whether the answer was not truncated."""
    return bool(line.response.candidates[0].finish_reason == USUAL)


class UsualReader:
    """Reads the lines of one service."""

    def __init__(self, backend: Backend, reading: Reading) -> None:
        self._marked = backend is Backend.VERTEX
        self._dropped, self._cut_off_is_good = reading.dropped, reading.cut_off_is_good
        self._decoder: Decoder[Any] = Decoder(_VertexLine if self._marked else _GeminiLine)
        self._mixed = False
        """Whether the block before had other lines, too. Then the next one probably has."""

    def read(self, block: bytes) -> list[UsualRows | bytes]:
        """Read whole lines: consecutive usual lines become rows together, and any others stay lines."""
        if not self._mixed:
            try:
                decoded = self._decoder.decode_lines(block)
                # Fewer objects than lines: some lines are empty, or an object spans several lines.
                alike = len(decoded) == line_feeds(block)
                if alike and (self._cut_off_is_good or all(map(_is_whole, decoded))):
                    return [self._rows(decoded)]
            except _UNUSUAL:
                pass
        found = self._one_by_one(block.split(b"\n")[:-1])
        self._mixed = any(one.__class__ is bytes for one in found)
        return found

    def _one_by_one(self, lines: list[bytes]) -> list[UsualRows | bytes]:
        found: list[UsualRows | bytes] = []
        alike: list[Any] = []
        decode, any_end = self._decoder.decode, self._cut_off_is_good
        for line in lines:
            try:
                one = decode(line)
            except _UNUSUAL:
                one = None
            if one is not None and (any_end or _is_whole(one)):
                alike.append(one)
                continue
            if alike:
                found.append(self._rows(alike))
                alike = []
            found.append(line)
        if alike:
            found.append(self._rows(alike))
        return found

    def _rows(self, lines: list[Any]) -> UsualRows:  # noqa: C901, PLR0912, PLR0915 - calls would cost a tenth more
        """Make rows of lines, and count the members that the rows do not contain."""
        missing, usual = UNSET, USUAL
        keys = [read_key(line.key) for line in lines] if self._marked else [line.key for line in lines]
        indices = stamped_indices(keys)
        rows = []
        asked = answered = from_cache = thoughts = in_all = longest = cut_off = 0
        ids = times = averages = ratings = scores = of_prompts = of_answers = of_caches = traffic = tiers = 0
        billed = 0
        for line, key, index in zip(lines, keys, indices, strict=True):
            response = line.response
            candidate, used = response.candidates[0], response.usage_metadata
            parts = candidate.content.parts
            part, signature = parts.first, parts.second
            text, reason, total = part.text, candidate.finish_reason, used.total_token_count
            if reason != usual:
                cut_off += 1
            prompt, answer = used.prompt_token_count, used.candidates_token_count
            cached, thought = used.cached_content_token_count, used.thoughts_token_count
            tokens = UsualTokens(prompt, answer, cached, thought, total)
            row = UsualRow(key, index, "ok", text, None, None, reason, tokens, response.model_version)
            if part.thought_signature is not missing:
                row.parts = [{"candidate": 0, "part": 0, "thought_signature": part.thought_signature}]
            if signature is not missing:
                behind = {"candidate": 0, "part": 1, "thought_signature": signature.thought_signature}
                row.parts = [*(row.parts or ()), behind]
            rows.append(row)
            asked += prompt
            answered += answer
            in_all += total
            if prompt > longest:  # noqa: PLR1730 - `max` would be a call per row
                longest = prompt
            if cached:
                from_cache += cached
            if thought:
                thoughts += thought
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
            if used.prompt_tokens_details is not missing:
                of_prompts += 1
            if used.candidates_tokens_details is not missing:
                of_answers += 1
            if used.cache_tokens_details is not missing:
                of_caches += 1
            if used.traffic_type is not missing:
                traffic += 1
            if used.service_tier is not missing:
                tiers += 1
            if used.billable_prompt_usage is not missing:
                billed += 1
        numbers = (
            ids,
            times,
            averages,
            ratings,
            scores,
            of_prompts,
            of_answers,
            of_caches,
            traffic,
            tiers,
            billed,
        )
        for kind, number in zip(_COUNTED, numbers, strict=True):
            if number:
                self._dropped.count(kind, number)
        sums = UsualTokens(asked, answered, from_cache, thoughts, in_all)
        return UsualRows(rows, keys, indices, sums, longest, cut_off)
