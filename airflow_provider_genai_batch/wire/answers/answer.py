"""Answers in a form that all model families share, and their rows.

Each family has a reader that makes an `Answer` of a response (`wire.answers.gemini` is Google's). This module decides,
once for all families, what a row contains of an answer and whether the row is ``ok``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.answers.members import Dropped
from airflow_provider_genai_batch.wire.keys import stamped_index

PlainRow: TypeAlias = dict[str, Any]
"""A row as it is written: `key, index, status, text, output, error, finish_reason, usage, model_version`.

The fields are in this order. The following ones come after them if they are not empty: `candidates`, `parts`, `media`,
`grounding`, `citations`, `logprobs`, `response`, `tier`, `round` and `input`, and `asked` to `same_as` of
`models.ResultRow`.
"""
Store: TypeAlias = Callable[[str | None, int, int, str | None, str], dict[str, Any]]
"""Takes key, candidate, part, mime type and base64 text of a picture or sound, and writes it as a file.

Returns members of `models.answers.parts.Media`: `bytes`, `sha256`, `uri`, and `mime_type` if the file's type differs.
"""


class Finish(Enum):
    """The meaning of a finish reason for its answer."""

    WHOLE = "whole"
    """The model finished, met a stop sequence, or calls functions."""
    CUT_OFF = "cut off"
    """The model reached a token limit: the answer is right as far as it goes."""
    UNUSABLE = "unusable"
    """The answer is blocked, broken, or has to be continued by another request."""
    UNKNOWN = "unknown"
    """A reason that this version does not know. It may mean anything, so the answer is not ``ok``."""


def finish_of(reason: str | None, known: Mapping[str, Finish]) -> Finish | None:
    """Return the meaning of a finish reason, by the family's `known` ones; None if the answer has no reason."""
    return None if reason is None else known.get(reason, Finish.UNKNOWN)


@dataclass(frozen=True)
class Reading:
    """How answers are read.

    Attributes:
        keep_response: each row has the service's own response; then nothing counts as dropped.
        keep_media: `media` of a row has the base64 text of pictures and sound as ``data``, for `store_media`. Otherwise
            they count as dropped.
        cut_off_is_good: answers that were cut off at a token limit are ``ok``.
        asked: the tier of the immediate calls; `tier` of a row is the tier that served it. None: they come from a job.
        dropped: counts the members that no row contains, while rows are read.
    """

    keep_response: bool = False
    keep_media: bool = False
    cut_off_is_good: bool = True
    dropped: Dropped = field(default_factory=Dropped)
    asked: Tier | None = None

    @property
    def counted(self) -> Dropped:
        """The counter for a reader: a throwaway one if the row keeps the whole response."""
        return Dropped() if self.keep_response else self.dropped


@dataclass(frozen=True)
class AnswerSettings:
    """A task's settings for its answers.

    Attributes:
        keep: ``response`` also lands the service's own response.
        truncated: with ``invalid``, every answer that was cut off at a token limit is ``invalid``.
        typed: answers have a type. A truncated answer does not fit it, so it is ``invalid`` in any case.
    """

    keep: str | None = None
    truncated: str = "ok"
    typed: bool = False

    def reading(self, dropped: Dropped, *, typed: bool = False, keep_media: bool = False) -> Reading:
        """Return how answers are read."""
        good = self.truncated == "ok" and not (self.typed or typed)
        return Reading(self.keep == "response", keep_media, good, dropped)


@dataclass
class Answer:
    """A response of any family.

    Attributes:
        text: without thoughts.
        output: function calls, in order, or the numbers of an embedding.
        finish_reason: in the family's own word; None: the response has none.
        finish: the meaning of that word; None if there is none: then an answer with content is ``ok``.
        usage: see `tokens`.
        model_version: as the service reports it.
        candidates: `models.answers.candidate.Candidate` as dicts, in order, if there are several; the other fields are
            those of the chosen one.
        parts: `models.answers.parts.Part` as dicts: everything except plain text, of all candidates, in order.
        media: `candidate`, `part`, `mime_type` and ``data`` (base64 text) of pictures and sound, if the `Reading`
            keeps them.
        grounding: `models.answers.grounding.Grounding` as a dict.
        citations: `models.answers.grounding.Citation` as dicts.
        logprobs: `models.answers.candidate.Logprobs` as a dict.
        useful: there is usable content beside text, calls and numbers, such as a picture or code.
        blocked: why there is no usable content, in the family's word, if the finish reason does not say it.
        message: the service's explanation.
    """

    text: str | None = None
    output: list[Any] | None = None
    finish_reason: str | None = None
    finish: Finish | None = None
    usage: dict[str, int] | None = None
    model_version: str | None = None
    candidates: list[dict[str, Any]] | None = None
    parts: list[dict[str, Any]] | None = None
    media: list[dict[str, Any]] | None = None
    grounding: dict[str, Any] | None = None
    citations: list[dict[str, Any]] | None = None
    logprobs: dict[str, Any] | None = None
    useful: bool = False
    blocked: str | None = None
    message: str | None = None

    @property
    def has_content(self) -> bool:
        """Whether there is any usable content."""
        return bool(self.text or self.output or self.useful)


_MORE = ("candidates", "parts", "media", "grounding", "citations", "logprobs")
"""Fields that a row has only if they are not empty."""


def tokens(
    asked: int = 0, answered: int = 0, cached: int = 0, thoughts: int = 0, tool_use: int = 0, total: int = 0
) -> dict[str, int]:
    """Return the tokens of a row.

    Args:
        asked: tokens of the prompt, including those from a cache.
        answered: tokens of the answer, without thoughts.
        cached: tokens of the prompt that were read from a cache.
        thoughts: billed as output.
        tool_use: tokens that tools returned into the prompt; not in `asked`. The row has them only if there are any.
        total: the service's own sum; 0: the sum of the others.
    """
    usage = {"input": asked, "output": answered, "cached": cached, "thoughts": thoughts}
    usage["total"] = total or asked + answered + thoughts + tool_use
    if tool_use:
        usage["tool_use"] = tool_use
    return usage


def answer_row(key: str | None, answer: Answer, reading: Reading) -> PlainRow:
    """Return the row of an answer."""
    status, error = status_of(answer, reading)
    row = plain_row(
        key,
        status,
        text=answer.text,
        output=answer.output,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        model_version=answer.model_version,
    )
    if status != "ok":
        row["error"] = error
    for name in _MORE:
        if value := getattr(answer, name):
            row[name] = value
    return row


def status_of(answer: Answer, reading: Reading) -> tuple[str, dict[str, Any] | None]:
    """Return the status of an answer's row, and its error.

    It is ``ok`` if the answer has content, and its finish reason is absent or known to mean a whole answer. The
    `reading` decides about answers that were cut off.
    """
    reason = answer.finish_reason
    word = str(answer.blocked or reason or "no candidate")
    if not answer.has_content:
        return "invalid", row_error(answer.message or f"no usable answer: {word}", status=word)
    if answer.finish in (None, Finish.WHOLE) or (answer.finish is Finish.CUT_OFF and reading.cut_off_is_good):
        return "ok", None
    said = _SAID[answer.finish].format(reason)
    return "invalid", row_error(answer.message or said, status=str(reason))


_SAID = {
    Finish.CUT_OFF: "the answer was cut off at a limit of tokens: {}",
    Finish.UNUSABLE: "no usable answer: {}",
    Finish.UNKNOWN: "the model stopped for a reason that this version does not know: {}",
}


def plain_row(key: str | None, status: str, **fields: Any) -> PlainRow:
    """Return a row with all the fields that every row has."""
    row: PlainRow = {
        "key": key,
        "index": stamped_index(key) if key else None,
        "status": status,
        "text": None,
        "output": None,
        "error": None,
        "finish_reason": None,
        "usage": None,
        "model_version": None,
    }
    row.update(fields)
    return row


def row_error(message: str, *, code: int | None = None, status: str = "") -> dict[str, Any]:
    """Return the error of a row."""
    return {"code": code, "status": status, "message": message}


def store_media(row: PlainRow, store: Store) -> None:
    """Write the pictures and sounds of a row as files; in `media`, their addresses replace the bytes."""
    for medium in row.get("media") or ():
        data = medium.pop("data", None)
        if data is None:  # it is already a file
            continue
        where = medium["candidate"], medium["part"], medium["mime_type"]
        medium.update(store(row["key"], *where, data))
