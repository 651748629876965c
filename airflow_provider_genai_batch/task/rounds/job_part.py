"""What distinguishes a job from others of its task: the jobs that it follows, and its part of the input."""

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
    """Return what distinguishes a job from others of its task: the jobs that it follows, and its requests.

    Its requests are identified by its part of the input, or by the requests left if others have earlier answers; those
    of a pilot by its sample. With `reattach` off, further jobs of this attempt are distinguished by its own immediate
    calls.

    Args:
        piece: the job's requests.
        state: the state of the attempt.
        reattach: whether the task reattaches to jobs of earlier attempts.
        several: whether it is one of several jobs of its round.
        whom: for a fallback: the model, and who pays. The requests do not identify its first round, because they may
            be more or fewer in another attempt.
    """
    stands = _id if reattach else _own_id
    followed = [*dict.fromkeys(stands(name) for name in state.done if name not in state.twins)]
    reduced = (piece.reduced or state.round < state.pilot) and not whom
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
    """Return the id of a job, or of a whole journal, regardless of how many attempts wrote it."""
    return Writer.of(name).tag if is_journaled(name) else name.rpartition("/")[2]


def _own_id(name: str) -> str:
    """Return the id of a job, or of one attempt's part of a journal."""
    return name if is_journaled(name) else _id(name)
