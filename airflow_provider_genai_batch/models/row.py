"""One row out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from airflow_provider_genai_batch.models.answers.candidate import Candidate, Logprobs
from airflow_provider_genai_batch.models.answers.grounding import Citation, Grounding
from airflow_provider_genai_batch.models.answers.parts import Media, Part
from airflow_provider_genai_batch.models.answers.sparse import Sparse
from airflow_provider_genai_batch.models.base import Noun

ROW_SCHEMA = 3
"""Version of the row format.

1: `key` to `model_version`, `response`, `round`, `input`. 2: also `candidates` to `logprobs`, and `usage.tool_use`,
each left out if empty; columns of Parquet have types. 3: also `tier`, and `asked` to `same_as`.
"""


class RowStatus(str, Enum):
    """The outcome of one request."""

    OK = "ok"
    INVALID = "invalid"
    """Answered, but the answer does not match ``output_type`` or is not usable."""
    ERROR = "error"
    """The service refused this row."""
    CANCELLED = "cancelled"
    MISSING = "missing"
    """The service returned no line for it."""


class RowError(Noun):
    """Why a row is not ``ok``. ``code`` is a gRPC code if the service gave one, else an HTTP status."""

    code: int | None = None
    status: str = ""
    message: str = ""


class Usage(Noun):
    """Tokens as the service counts them; 0: it reports none of that kind."""

    input: int = 0
    """Tokens of the prompt, including cached ones."""
    output: int = 0
    """Tokens of the answer, without thoughts."""
    cached: int = 0
    """Tokens of the prompt that were read from a cache."""
    thoughts: int = 0
    """Tokens of thoughts, billed as output."""
    total: int = 0
    """The service's own sum."""
    tool_use: int = 0
    """Tokens of tool results, added to the prompt and billed as input, but not in `input`. Left out if 0."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show tokens of tool results only if there are any."""
        return [(name, number) for name, number in super().__repr_args__() if number or name != "tool_use"]

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, int]:
        written: dict[str, int] = write(self)
        if not self.tool_use:
            written.pop("tool_use", None)
        return written

    def __add__(self, other: Usage) -> Usage:
        """Add each kind of tokens."""
        return Usage(
            input=self.input + other.input,
            output=self.output + other.output,
            cached=self.cached + other.cached,
            thoughts=self.thoughts + other.thoughts,
            total=self.total + other.total,
            tool_use=self.tool_use + other.tool_use,
        )

    def __sub__(self, other: Usage) -> Usage:
        """Subtract each kind of tokens."""
        return Usage(**{name: getattr(self, name) - getattr(other, name) for name in Usage.model_fields})


class ResultRow(Sparse):
    """One row out, the same shape for every service, channel and family of models."""

    key: str | None
    """None if the service returned none: the row cannot be joined to its request."""
    index: int | None = None
    """Position of the request in the input, from 0; None if it is not known."""
    status: RowStatus
    text: str | None = None
    """The answer's text without thoughts; None for embeddings and rows without an answer.

    For ``text-embedding-00x`` on Vertex AI, whose rows have no key, this is the input text.
    """
    output: Any = None
    """Structured answer or embedding values (list of float)."""
    error: RowError | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    model_version: str | None = None
    candidates: tuple[Candidate, ...] | None = None
    """All answers, if there are several; the fields above are from the first complete one."""
    parts: tuple[Part, ...] | None = None
    """Parts of the answer that are not plain text, in order."""
    media: tuple[Media, ...] | None = None
    """Pictures and sound, if they were written as files."""
    grounding: Grounding | None = None
    """The sources of the answer: searches, documents, addresses."""
    citations: tuple[Citation, ...] | None = None
    logprobs: Logprobs | None = None
    """How likely each token was, if the request asked for it."""
    response: dict[str, Any] | None = None
    """The service's own response, if ``keep="response"`` is set."""
    tier: str | None = None
    """The tier that served it: ``batch``, ``flex`` or ``standard``. None: not served, or the service does not say."""
    round: int = 0
    """The round that answered it: 0 is the first, 1 only submits the rows that failed in round 0, and so on."""
    input: dict[str, Any] | None = None
    """Columns of the input row, if they are kept; on Vertex AI the fields beside the request."""
    asked: str | None = None
    """Digest of everything that decides the answer: the model, and the request as it was sent. Only for tasks with
    `reuse` or `dedupe`."""
    answered_at: datetime | None = None
    """When the job with the answer ended; only for the same tasks."""
    reused_from: str | None = None
    """Where the answer landed earlier, if the request was not sent this time. Its tokens were paid then."""
    same_as: str | None = None
    """Key of an equal request that was sent for both. Its tokens were paid once."""

    _always: ClassVar[frozenset[str]] = frozenset(
        (
            *("key", "index", "status", "text", "output", "error", "finish_reason", "usage", "model_version"),
            *("response", "round", "input"),
        )
    )
