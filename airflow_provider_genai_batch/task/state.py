"""The state of an attempt. It becomes a dict only at a deferral."""

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
    """What an attempt has done so far, small enough for a deferral."""

    deadline: float = 0.0
    """Until when to wait for capacity, in seconds since the epoch; 0: no such wait has begun."""
    room_since: float = 0.0
    """Since when there is room for the next job, see `flows.steps.AwaitCapacity`."""
    round: int = 0
    ready: Deadline | None = None
    """The deadline of the task's rows; None: they have none."""
    left_until: float = 0.0
    """Until when to wait for the end of jobs cancelled for `ready`, in seconds since the epoch; 0: none was."""
    tier: str = Tier.BATCH.value
    """The tier of this round, see `models.tier.Tier`."""
    done: list[str] = field(default_factory=list)
    """Jobs of earlier rounds."""
    before: list[str] = field(default_factory=list)
    """Useless jobs of earlier attempts."""
    idle: bool = True
    """True while this attempt has neither created a job nor waited for one."""
    mine: list[str] = field(default_factory=list)
    """Jobs that this attempt found or created, in all rounds."""
    reattached: list[str] = field(default_factory=list)
    """Subset of `mine` that earlier attempts created."""
    failed_before: list[str] = field(default_factory=list)
    """Subset of `reattached` that had already failed but produced rows."""
    reached: int = 0
    """The round that this attempt was in before it was deferred."""
    twins: list[str] = field(default_factory=list)
    """Subset of `mine` that ended in addition to another job with the same requests."""
    spent: float = 0.0
    """Known cost of the jobs of earlier rounds, in USD."""
    strays: list[str] = field(default_factory=list)
    """Subset of `mine` that was found only in a list."""
    manifest: dict[str, Any] | None = None
    """Manifest of the jobs that were settled last, as JSON; None: no jobs have been settled yet."""
    fallback: int = 0
    """The number of the fallback that this round uses; 0: none, it uses the task's own parameters."""
    leads_on: str = ""
    """Why the next fallback gets what this round leaves; empty: not known yet, or it does not."""
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Jobs of earlier rounds at other connections than the task's own, with these connections."""
    models: dict[str, str] = field(default_factory=dict)
    """Journals of another model than the task's, by name."""
    pilot: int = 0
    """Number of pilot rounds: 1 if the first round is a pilot, else 0."""
    spent_today: dict[str, Any] | None = None
    """`models.manifest.spent_today.SpentToday` as JSON; None: no limit of a day applied to a job of this attempt."""
    plan: dict[str, Any] | None = None
    """The plan of this attempt, as JSON; None: none yet, or the requests cannot be read."""

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
        """Record a job of the current round; a known job is not changed.

        Args:
            job: the job, as just read.
            reattached: whether an earlier attempt created it.
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
        """Record a job that was found only in a list; the identity of a further round does not depend on it."""
        self.come_to(job, reattached=reattached)
        _add(self.twins, [job.name])
        _add(self.strays, [job.name])

    def forgive(self, jobs: Sequence[BatchJob]) -> None:
        """Let the rows of FAILED jobs count: they have too few, so all jobs together decide."""
        _add(self.failed_before, [job.name for job in jobs if job.state is JobState.FAILED])

    def count_left(self, requests: int, sizes: Mapping[str, int], going: Collection[str]) -> None:
        """Record, for the deadline of the rows, how many requests of this round are not in an ended job.

        Args:
            requests: number of requests in the round.
            sizes: number of requests in each of its jobs so far.
            going: those jobs that have not ended.
        """
        if self.ready is not None:
            ended = sum(size for name, size in sizes.items() if name not in going)
            self.ready = self.ready.for_requests(max(0, requests - ended))

    def pass_over(self, names: Sequence[str]) -> None:
        """Record useless jobs."""
        _add(self.before, names)

    def note_twins(self, jobs: Sequence[BatchJob]) -> None:
        """Record jobs that ended in addition to another one with the same requests."""
        _add(self.twins, [job.name for job in jobs])

    def next_round(self, again: AskAgain, spent: float, tier: Tier) -> AttemptState:
        """Return the state at the beginning of the round for the requests that these jobs left unanswered.

        Args:
            again: how the jobs of all rounds so far ended.
            spent: their known cost, in USD.
            tier: the tier of the new round.
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
        """Return the state at the beginning of the first round of the next fallback.

        The identity of that round does not depend on the jobs before it, so it is found again whatever happened to
        them.

        Args:
            again: how the jobs of all rounds so far ended; None: this round has no jobs.
            spent: their known cost, in USD.
            tier: the tier of the new round.
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
        """Return the state at the beginning of a first round whose jobs replace those that ended early."""
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
    """The state that a deferral saves; another version of this package may have written it."""

    state: AttemptState = field(default_factory=AttemptState)
    jobs: list[str] = field(default_factory=list)
    facts: InputFacts = field(default_factory=InputFacts)
    fingerprint: str | None = None
    """Fingerprint of the whole input; None: unknown, or there are no jobs for it yet."""
    more: bool = False
    """Whether more jobs of the round are still to be submitted."""
    refusals: int = 0
    """How often the service had no capacity, or the input could not be read."""
    looked: bool = True
    """Whether the attempt has looked for jobs of earlier attempts."""
    look_first: bool = False
    """Whether it must look for them, if it has not yet, before it creates a job."""

    def to_event(self) -> dict[str, Any]:
        """Return the checkpoint as JSON values, for a trigger."""
        return asdict(self)

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Checkpoint:
        """Read a checkpoint from a trigger's event."""
        checkpoint = read_stored(cls, event.get("memo"))
        return checkpoint if checkpoint.jobs else replace(checkpoint, jobs=[*event.get("job_names", ())])


def _add(names: list[str], more: Sequence[str]) -> None:
    names += [name for name in dict.fromkeys(more) if name not in names]
