"""The state of an attempt. It becomes a dict at a deferral only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airflow_provider_genai_batch.flows.deadline import Deadline
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.jobs.identity import FALLBACK_ROUNDS
from airflow_provider_genai_batch.models.jobs.journal import is_journaled
from airflow_provider_genai_batch.models.stored import read_stored
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.inputs.facts import InputFacts


@dataclass
class AttemptState:
    """What an attempt knows of what it did, small enough for a deferral."""

    deadline: float = 0.0
    """Until which a lack of capacity is waited out, in seconds since the epoch; 0: none has been met yet."""
    room_since: float = 0.0
    """Since when there is room for the next job, see `flows.steps.AwaitCapacity`."""
    round: int = 0
    ready: Deadline | None = None
    """Of the rows of the task; None: they have none."""
    left_until: float = 0.0
    """Until when the end of jobs is waited for that were left for `ready`, in seconds since the epoch; 0: none was."""
    tier: str = Tier.BATCH.value
    """In which this round is asked, see `models.tier.Tier`."""
    done: list[str] = field(default_factory=list)
    """Jobs of earlier rounds."""
    before: list[str] = field(default_factory=list)
    """Jobs of earlier attempts that are of no use."""
    idle: bool = True
    """True while this attempt has neither created a job nor waited for one."""
    mine: list[str] = field(default_factory=list)
    """Jobs that this attempt came to, in all rounds."""
    reattached: list[str] = field(default_factory=list)
    """Subset of `mine` that earlier attempts created."""
    failed_before: list[str] = field(default_factory=list)
    """Subset of `reattached` that had already failed but produced rows."""
    reached: int = 0
    """The round that this attempt was in before it was deferred."""
    twins: list[str] = field(default_factory=list)
    """Subset of `mine` that ended beside another job of the same requests."""
    spent: float = 0.0
    """What jobs of earlier rounds are known to have cost, in USD."""
    strays: list[str] = field(default_factory=list)
    """Subset of `mine` that only a list showed."""
    manifest: dict[str, Any] | None = None
    """Of the jobs that were settled last, as JSON; None: no jobs have been settled yet."""
    fallback: int = 0
    """The number of the fallback that this round is asked in; 0: none, it is as the task's own parameters say."""
    leads_on: str = ""
    """Why what this round leaves is asked in the next fallback; empty: not known yet, or it is not."""
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Jobs of earlier rounds at another connection than the task's own, which is named."""
    models: dict[str, str] = field(default_factory=dict)
    """Of what was asked at once of another model than the task's, by name."""
    pilot: int = 0
    """Rounds that are a pilot: 1 if the first one is, else 0."""
    plan: dict[str, Any] | None = None
    """What this attempt planned, as JSON; None: nothing yet, or the requests cannot be read."""

    @property
    def piloting(self) -> bool:
        """Whether this round is a pilot."""
        return self.round < self.pilot

    def resumed(self) -> AttemptState:
        """Return the state with which the rounds are replayed after a deferral, finding their jobs again."""
        reached = max(self.round, self.reached)
        return replace(
            self,
            round=0,
            tier=Tier.BATCH.value,
            done=[],
            reached=reached,
            fallback=0,
            leads_on="",
            elsewhere={},
        )

    def come_to(self, job: BatchJob, *, reattached: bool) -> None:
        """Take note of a job of the current round; one that is known stays as it is.

        Args:
            job: as it was just read.
            reattached: an earlier attempt created it.
        """
        if job.name in self.mine:
            return
        self.mine.append(job.name)
        self.idle = self.idle and reattached and job.done
        if reattached:
            self.reattached.append(job.name)
            if job.state is JobState.FAILED:
                self.failed_before.append(job.name)

    def join(self, job: BatchJob, *, reattached: bool) -> None:
        """Take note of a job that only a list showed; what a further round is known by does not depend on it."""
        self.come_to(job, reattached=reattached)
        _add(self.twins, [job.name])
        _add(self.strays, [job.name])

    def forgive(self, jobs: Sequence[BatchJob]) -> None:
        """Let the rows of FAILED jobs count: they left too few, and all jobs together decide."""
        _add(self.failed_before, [job.name for job in jobs if job.state is JobState.FAILED])

    def count_left(self, requests: int, sizes: Mapping[str, int], going: Collection[str]) -> None:
        """Take note, for the deadline of the rows, how many requests of this round no ended job has had.

        Args:
            requests: of the round.
            sizes: requests of its jobs so far.
            going: those of them that have not ended.
        """
        if self.ready is not None:
            ended = sum(size for name, size in sizes.items() if name not in going)
            self.ready = self.ready.for_requests(max(0, requests - ended))

    def pass_over(self, names: Sequence[str]) -> None:
        """Take note of jobs that are of no use."""
        _add(self.before, names)

    def note_twins(self, jobs: Sequence[BatchJob]) -> None:
        """Take note of jobs that ended beside another one of the same requests."""
        _add(self.twins, [job.name for job in jobs])

    def next_round(self, again: AskAgain, spent: float, tier: Tier) -> AttemptState:
        """Return the state at the begin of the round that asks what these jobs left open.

        Args:
            again: how the jobs of all rounds so far ended.
            spent: what they are known to have cost, in USD.
            tier: in which it asks.
        """
        done, manifest = [*again.job_names], again.manifest
        return replace(
            self,
            deadline=0.0,
            round=self.round + 1,
            tier=tier.value,
            done=done,
            spent=spent,
            manifest=manifest,
        )

    def next_fallback(
        self, again: AskAgain | None, spent: float, tier: Tier, conn_id: str | None
    ) -> AttemptState:
        """Return the state at the begin of the first round of the next fallback.

        What that is known by does not depend on the jobs before it, so that it is found again whatever became of them.

        Args:
            again: how the jobs of all rounds so far ended; None: there is none of this round.
            spent: what they are known to have cost, in USD.
            tier: in which it asks.
            conn_id: the connection of this round, if it is not the task's own.
        """
        done = [*self.done] if again is None else [*again.job_names]
        new = [name for name in done if name not in self.done and not is_journaled(name)]
        state = replace(
            self,
            deadline=0.0,
            fallback=self.fallback + 1,
            round=(self.fallback + 1) * FALLBACK_ROUNDS,
            tier=tier.value,
            done=done,
            leads_on="",
            elsewhere={**self.elsewhere, **(dict.fromkeys(new, conn_id) if conn_id else {})},
            twins=[*self.twins],
            spent=spent,
            manifest=self.manifest if again is None else again.manifest,
        )
        _add(state.twins, done)
        return state

    def first_round_again(self, again: AskAgain, spent: float) -> AttemptState:
        """Return the state at the begin of a first round whose jobs take the place of those that ended early."""
        anew = replace(
            self,
            deadline=0.0,
            round=0,
            done=[],
            before=[*self.before],
            spent=self.spent + spent,
            manifest=again.manifest,
        )
        anew.pass_over(again.ended_early)
        return anew


@dataclass(frozen=True)
class Checkpoint:
    """What a deferral hands on; another version of this package may have written it."""

    state: AttemptState = field(default_factory=AttemptState)
    jobs: list[str] = field(default_factory=list)
    facts: InputFacts = field(default_factory=InputFacts)
    fingerprint: str | None = None
    """Of the whole input; None: not known, or there are no jobs of it yet."""
    more: bool = False
    """More jobs of the round are to be submitted."""
    refusals: int = 0
    """How often the service had no capacity, or the input could not be read."""
    looked: bool = True
    """The attempt has looked for jobs of earlier ones."""
    look_first: bool = False
    """It is to look for them before it creates one, if it has not."""

    def to_event(self) -> dict[str, Any]:
        """Return what a trigger can serialise."""
        return asdict(self)

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Checkpoint:
        """Read what a trigger's event brings back."""
        checkpoint = read_stored(cls, event.get("memo"))
        return checkpoint if checkpoint.jobs else replace(checkpoint, jobs=[*event.get("job_names", ())])


def _add(names: list[str], more: Sequence[str]) -> None:
    names += [name for name in dict.fromkeys(more) if name not in names]
