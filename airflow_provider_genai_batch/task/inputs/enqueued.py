"""What a job asks for of a model's enqueued tokens: its bytes, keys and config and inline media with them, over four.

In what unit the service counts is not documented; this costs no second look at the requests, and rather is too much.
"""

from __future__ import annotations

import io

from pydantic_core import to_json

from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.wire.catalog.limits import Limits


def enqueued_tokens(piece: PreparedInput) -> int | None:
    """Return the tokens that a job of an input asks for; None where its requests are not at hand."""
    if piece.entries:
        return -(-sum(len(to_json(entry)) + 1 for entry in piece.entries) // BYTES_A_TOKEN)
    return None if piece.lines is None else -(-piece.lines.seek(0, io.SEEK_END) // BYTES_A_TOKEN)


def within(limits: Limits, tokens: int | None) -> Limits:
    """Lower the limits of one job to what a limit of tokens allows; None: there is none."""
    if tokens is None:
        return limits
    most = tokens * BYTES_A_TOKEN
    return limits._replace(max_bytes=min(most, most if limits.max_bytes is None else limits.max_bytes))
