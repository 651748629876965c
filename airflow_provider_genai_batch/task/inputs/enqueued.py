"""What a job asks for of a model's enqueued tokens: its bytes, keys and config and inline media with them, over four.

In what unit the service counts is not documented; this costs no second look at the requests, and rather is too much.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Collection

from pydantic_core import to_json

from airflow_provider_genai_batch.client import ClientConfig
from airflow_provider_genai_batch.flows.submission.room import Room
from airflow_provider_genai_batch.models.jobs.identity import tokens_of
from airflow_provider_genai_batch.requests.token_estimate import BYTES_A_TOKEN
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.wire.catalog.limits import Limits

log = logging.getLogger(__name__)


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


def room_of(
    config: ClientConfig, model: str, piece: PreparedInput, priority: int | None = None
) -> Room | None:
    """Return what a job needs of the connection's enqueued tokens; None: there is no limit, or nobody can tell."""
    limit = config.enqueued_tokens_of(model) if config.max_enqueued_tokens else None
    tokens = None if limit is None else enqueued_tokens(piece)
    return None if limit is None or tokens is None else Room(model, tokens, limit, priority or 0)


def is_full(room: Room | None, going: Collection[str | None]) -> bool:
    """Whether jobs that go on leave no room for one more.

    Args:
        room: what that one needs.
        going: the display names of the others.
    """
    own = sum(tokens_of(name) or 0 for name in going)
    if room is None or own + room.tokens <= room.limit:
        return False
    log.info(
        "The next job asks for about %s tokens, and %s jobs that go on for %s: one of them has to end first "
        "(max_enqueued_tokens of the connection is %s).",
        room.tokens,
        len(going),
        own,
        room.limit,
    )
    return True
