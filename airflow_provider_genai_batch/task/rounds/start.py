"""The beginning of a round: its requests, and what is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.printable import number_of
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.task.state import AttemptState


@dataclass(frozen=True)
class RoundStart:
    """The beginning of a round.

    Attributes:
        identity: identity of the whole input.
        whole: the whole input.
        prepared: the requests of the round.
        attempt: what is known beforehand.
        state: what this attempt has done so far; the round updates it.
        pilot: the whole pilot, if the round submits what is left of it.
    """

    identity: Identity
    whole: PreparedInput
    prepared: PreparedInput
    attempt: Attempt
    state: AttemptState
    pilot: PreparedInput | None = None

    @cached_property
    def facts(self) -> InputFacts:
        """Facts about the whole input, or about the pilot."""
        piloted = self.piloted if self.state.pilot else None
        return InputFacts.of(piloted or self.whole)

    @property
    def piloted(self) -> PreparedInput | None:
        """The pilot of this round; None: it is not a pilot."""
        return (self.pilot or self.prepared) if self.state.piloting else None

    @property
    def words(self) -> str:
        """What the round does, for the log."""
        if Tier(self.state.tier).at_once:
            return f"sending {number_of(self.prepared.requests, 'request')} as immediate calls"
        if not self.state.round:
            return "submitting a new job"
        rest = self.prepared.requests
        if self.state.round == self.state.pilot:
            return f"submitting the other {number_of(rest, 'request')}"
        if not rest:
            return "submitting the failed rows again, continuing its table"
        return f"submitting {number_of(rest, 'request')} again"
