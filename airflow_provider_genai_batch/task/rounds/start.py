"""Where a round begins: what it asks, and what is known before it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.state import AttemptState


@dataclass(frozen=True)
class RoundStart:
    """Where a round begins.

    Attributes:
        identity: of the whole input.
        whole: that input.
        prepared: what the round asks.
        attempt: what is known beforehand.
        state: what this attempt did so far; the round brings it up to date.
        pilot: the whole pilot, where the round asks what is left of it.
    """

    identity: Identity
    whole: PreparedInput
    prepared: PreparedInput
    attempt: Attempt
    state: AttemptState
    pilot: PreparedInput | None = None

    @cached_property
    def facts(self) -> InputFacts:
        """What is known of the whole input, or of the pilot."""
        piloted = self.piloted if self.state.pilot else None
        return InputFacts.of(piloted or self.whole)

    @property
    def piloted(self) -> PreparedInput | None:
        """The pilot that is asked; None: it is not a pilot that is."""
        return (self.pilot or self.prepared) if self.state.piloting else None

    @property
    def words(self) -> str:
        """What is done, for the log."""
        if Tier(self.state.tier).at_once:
            return f"asking {self.prepared.requests} requests at once"
        if not self.state.round:
            return "submitting a new job"
        rest = self.prepared.requests
        if self.state.round == self.state.pilot:
            return f"asking the other {rest} requests"
        if not rest:
            return "asking the failed rows again, continuing from its table"
        return f"asking {rest} request{'' if rest == 1 else 's'} again"
