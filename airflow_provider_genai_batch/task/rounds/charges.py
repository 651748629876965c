"""What the jobs of a round may cost, for the limits of the day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.flows.outcome.messages import nothing_more
from airflow_provider_genai_batch.flows.submission.charge import Charge
from airflow_provider_genai_batch.models.jobs.stated_cost import StatedCost
from airflow_provider_genai_batch.task.cost.limit import Most
from airflow_provider_genai_batch.task.cost.plan import read_plan

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import BatchJob
    from airflow_provider_genai_batch.models.jobs.identity import Identity
    from airflow_provider_genai_batch.task.cost.today import DayLimits
    from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
    from airflow_provider_genai_batch.task.state import AttemptState


@dataclass
class RoundCharge:
    """What the jobs of a round may cost; calculated once, if a job has to be created.

    Args:
        limits: the limits of the day.
        prepared: the requests of the round.
        pieces: the requests of each of its jobs.
        own: the identity of each of them.
        state: what the attempt has done so far.
        again: whether an earlier attempt may have created jobs.
        reattach: whether this attempt reattaches to them.
    """

    limits: DayLimits
    prepared: PreparedInput
    pieces: Sequence[PreparedInput]
    own: Sequence[Identity]
    state: AttemptState
    again: bool
    reattach: bool
    created: dict[str, float] = field(default_factory=dict)
    """The jobs that were created, by name, with the USD that each may cost."""
    _whole: Most | None = None

    def whole(self) -> Most:
        """Return what the whole round may cost: by the pilot, if there was one, else as `max_cost` counts it."""
        if self._whole is None:
            self._whole = self._by_pilot() or self.limits.price.most(self.prepared)
        return self._whole

    def _by_pilot(self) -> Most | None:
        state = self.state
        plan = read_plan(state.plan) if state.pilot and state.round == state.pilot else None
        if plan is None or not plan.pilot or plan.own_cost is None:
            return None
        words = f"by a pilot of {plan.pilot} rows, all rows cost {plan.own_cost}."
        return Most(max(plan.own_cost.most - state.spent, 0.0), plan.requests - plan.pilot, words)


@dataclass
class JobCharge:
    """What one job of a round may cost; calculated if the job has to be created.

    Args:
        of_round: the same of its round.
        number: its number in the round, from 0.
        name: returns its display name with a word that states its cost.
        refuse: raises if no job is to be created for another reason.
    """

    of_round: RoundCharge
    number: int
    name: Callable[[str], str]
    refuse: Callable[[], None]
    _last: Charge | None = None

    def __call__(self) -> Charge:
        """Calculate it."""
        self.refuse()
        whole, limits, state = self.of_round.whole(), self.of_round.limits, self.of_round.state
        weights = [piece.requests or 0 for piece in self.of_round.pieces]
        if not all(weights):  # the number of rows in BigQuery may not be known here
            weights = [1] * len(weights)
        share = whole.usd / sum(weights)
        own = share * weights[self.number]
        self._last = Charge(
            limits.limits,
            own=own,
            further=share * sum(weights[self.number + 1 :]),
            display_name=self.name(str(StatedCost(own, limits.dag))),
            requests=whole.requests,
            arithmetic=whole.arithmetic,
            became=nothing_more(state.mine, again=self.of_round.again),
            created=self.of_round.created,
            covers=self._covers,
            settled=state.done,
            paid=state.spent,
        )
        return self._last

    @property
    def display_name(self) -> str:
        """The job's display name, which states the cost."""
        return (self._last or self()).display_name

    def note(self, job: BatchJob) -> None:
        """Note that the job was created."""
        self.of_round.created[job.name] = (self._last or self()).own

    def _covers(self, job: BatchJob) -> bool:
        """Whether a listed job is one of this round that this attempt will reattach to, or that was of no use."""
        if not self.of_round.reattach:
            return False
        if job.name in self.of_round.state.mine:
            return False
        return any(identity.owns(job) for identity in self.of_round.own)
