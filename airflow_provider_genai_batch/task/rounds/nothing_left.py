"""An input that is answered already: its rows land without a round."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.exceptions import JobError
from airflow_provider_genai_batch.flows.outcome.settle import Done
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.task.state import Checkpoint

if TYPE_CHECKING:
    from airflow_provider_genai_batch.task.attempt_input import AttemptInput
    from airflow_provider_genai_batch.task.rounds.outcome import RoundOutcome
    from airflow_provider_genai_batch.task.rounds.start import RoundStart
    from airflow_provider_genai_batch.task.settings.order import Order
    from airflow_provider_genai_batch.task.settlement import Settlement

log = logging.getLogger(__name__)


def land_all_at_hand(
    order: Order,
    asked: AttemptInput,
    settlement: Settlement,
    outcome: RoundOutcome,
    here: RoundStart,
) -> Done:
    """Land the rows of an input that is answered already.

    The earlier results may be from an earlier attempt of this task that died or was cleared. Then its jobs say what was
    paid, as long as their rows can be read.

    Args:
        order: the job's parameters.
        asked: the input, with the existing answers.
        settlement: lands rows.
        outcome: finds the jobs of an earlier attempt, and settles with them.
        here: the whole input, and what is known of the attempt.
    """
    if asked.found_anew and here.attempt.look_first and here.attempt.reattach:
        strays = outcome.strays(here.identity, here.facts, here.state)
        found = strays.look()
        journaled = outcome.immediate_calls(here.identity, order)
        begun = Checkpoint(here.state, [job.name for job in journaled], here.facts, here.identity.fingerprint)
        settle = partial(settlement.settle, prepared=here.whole)
        try:
            ended = strays.joined(begun, found) if found else (Ending(Why.ENDED), begun)
            settled = strays.settled(*ended, settle) if found or journaled else None
        except JobError as error:
            log.warning("%s All requests have an answer, so the rows land without its jobs.", error)
            settled = None
        if isinstance(settled, Done):
            return settled
    return settlement.land_at_hand(order, here.whole, here.identity.fingerprint)
