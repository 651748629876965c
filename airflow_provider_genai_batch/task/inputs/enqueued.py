"""Enqueued tokens of a job: a quarter of its bytes, including keys, config and inline media.

The service's unit is not documented. This estimate needs no second reading of the requests, and is rather too high.
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
    """Return the enqueued tokens of a job with this input; None if its requests cannot be read."""
    if piece.entries:
        return -(-sum(len(to_json(entry)) + 1 for entry in piece.entries) // BYTES_A_TOKEN)
    return None if piece.lines is None else -(-piece.lines.seek(0, io.SEEK_END) // BYTES_A_TOKEN)


def within(limits: Limits, tokens: int | None) -> Limits:
    """Lower the limits of one job to a limit of tokens; None: there is no such limit."""
    if tokens is None:
        return limits
    most = tokens * BYTES_A_TOKEN
    return limits._replace(max_bytes=min(most, most if limits.max_bytes is None else limits.max_bytes))


def room_of(
    config: ClientConfig, model: str, piece: PreparedInput, priority: int | None = None
) -> Room | None:
    """Return the enqueued tokens that a job needs, and their limit; None: there is no limit, or they are unknown."""
    limit = config.enqueued_tokens_of(model) if config.max_enqueued_tokens else None
    tokens = None if limit is None else enqueued_tokens(piece)
    return None if limit is None or tokens is None else Room(model, tokens, limit, priority or 0)


def is_full(room: Room | None, going: Collection[str | None]) -> bool:
    """Whether running jobs leave no room for one more.

    Args:
        room: tokens that the next job needs, and their limit.
        going: display names of the running jobs.
    """
    own = sum(tokens_of(name) or 0 for name in going)
    if room is None or own + room.tokens <= room.limit:
        return False
    log.info(
        "The next job needs about %s tokens, and this task's unfinished jobs (%s) have %s: one of them must end first "
        "(max_enqueued_tokens of the connection is %s).",
        room.tokens,
        len(going),
        own,
        room.limit,
    )
    return True
