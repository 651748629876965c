"""What tells a job from others of its task: the jobs whose rows it completes, and its share of the input."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.jobs.journal import Writer, is_journaled
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.rounds.start import RoundStart
from airflow_provider_genai_batch.task.state import AttemptState

log = logging.getLogger(__name__)


def part_of(
    piece: PreparedInput, state: AttemptState, *, reattach: bool, several: bool, whom: Sequence[str] = ()
) -> list[Any] | None:
    """Return what tells a job from others of its task: the jobs whose rows it completes, and what it asks.

    That is said by its piece of several, or by what is left where answers were at hand. Where nothing of an earlier
    attempt is to be reattached, what this one alone asked at once tells its further jobs from those of others.

    Args:
        piece: what the job asks.
        state: of the attempt.
        reattach: jobs of earlier attempts are reattached to.
        several: it is one of several jobs of its round.
        whom: of a fallback: the model, and who pays. What it asks does not tell its first round from others, for that
            may be more or less in another attempt.
    """
    stands = _id if reattach else _own_id
    followed = [*dict.fromkeys(stands(name) for name in state.done if name not in state.twins)]
    reduced = piece.reduced and not whom
    return [*whom, *followed, *([piece.content] if several or reduced else [])] or None


def identity_of(
    start: RoundStart,
    piece: PreparedInput,
    *,
    reattach: bool,
    several: bool = False,
    whom: Sequence[str] = (),
) -> Identity:
    """Return the identity of a job of a round; see `part_of`."""
    part = part_of(piece, start.state, reattach=reattach, several=several, whom=whom)
    return start.identity.piece(part, start.state.round)


def _id(name: str) -> str:
    """Return what stands for a job, or for all that wrote one journal: how many attempts that took says nothing."""
    return Writer.of(name).tag if is_journaled(name) else name.rpartition("/")[2]


def _own_id(name: str) -> str:
    """Return what stands for a job, or for what one attempt wrote to a journal."""
    return name if is_journaled(name) else _id(name)
