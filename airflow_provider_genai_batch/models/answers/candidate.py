"""One of several answers to a request, and how likely its tokens were.

Source: google-genai's ``types`` and the REST references of both services, 2026.
"""

from __future__ import annotations

from typing import ClassVar

from airflow_provider_genai_batch.models.answers.grounding import Citation, Grounding
from airflow_provider_genai_batch.models.answers.sparse import Sparse


class TokenLogprob(Sparse):
    """How likely a token was."""

    token: str | None = None
    token_id: int | None = None
    log_probability: float | None = None


class TopLogprobs(Sparse):
    """The likeliest tokens at one position."""

    candidates: tuple[TokenLogprob, ...] | None = None


class Logprobs(Sparse):
    """How likely each token of an answer was."""

    chosen_candidates: tuple[TokenLogprob, ...] | None = None
    top_candidates: tuple[TopLogprobs, ...] | None = None
    log_probability_sum: float | None = None


class Candidate(Sparse):
    """One of several answers to a request."""

    index: int = 0
    text: str | None = None
    finish_reason: str | None = None
    grounding: Grounding | None = None
    citations: tuple[Citation, ...] | None = None
    logprobs: Logprobs | None = None

    _always: ClassVar[frozenset[str]] = frozenset(("text", "finish_reason"))
