"""One round of immediate calls: their answers go into a journal, which is settled like jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.online import OnlineSettings
from airflow_provider_genai_batch.exceptions import (
    InputError,
    JobCancelled,
    JobTimedOut,
    OnlineStopped,
    ResultsNotWritten,
)
from airflow_provider_genai_batch.flows.online.refusal import Meaning
from airflow_provider_genai_batch.flows.watch import Ending
from airflow_provider_genai_batch.models.jobs.job import Worth, worth
from airflow_provider_genai_batch.models.jobs.journal import Writer
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.printable import number_of
from airflow_provider_genai_batch.task.checks.checks import keeps_media
from airflow_provider_genai_batch.task.files.files import check_writable
from airflow_provider_genai_batch.task.inputs.bigquery.stream import read_placed
from airflow_provider_genai_batch.task.inputs.reading import InputReader
from airflow_provider_genai_batch.task.inputs.subset import subset
from airflow_provider_genai_batch.task.inputs.unreadable import unreadable_source
from airflow_provider_genai_batch.task.journal.journal import Journal, Part
from airflow_provider_genai_batch.task.journal.journals import Journals
from airflow_provider_genai_batch.task.journal.writer import PART_LINES
from airflow_provider_genai_batch.task.landing.media import check_media_writable
from airflow_provider_genai_batch.task.ready.past import past
from airflow_provider_genai_batch.task.ready.rungs import LastRung, PlainRung, Rung
from airflow_provider_genai_batch.task.rounds.no_job import LAST_ROUND
from airflow_provider_genai_batch.task.rounds.online.asking import Asked, Asking
from airflow_provider_genai_batch.task.rounds.round import Round
from airflow_provider_genai_batch.task.rounds.start import RoundStart
from airflow_provider_genai_batch.task.shared import Shared

if TYPE_CHECKING:
    from airflow_provider_genai_batch.flows.outcome.settle import AskAgain
    from airflow_provider_genai_batch.flows.submission.attempt import Attempt
    from airflow_provider_genai_batch.models import BatchJob
    from airflow_provider_genai_batch.models.jobs.identity import Identity
    from airflow_provider_genai_batch.task.cost.limit import CostLimit
    from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
    from airflow_provider_genai_batch.task.settings.order import Order
    from airflow_provider_genai_batch.task.state import AttemptState

log = logging.getLogger(__name__)

MAX_CALLS = 128
"""Most simultaneous calls."""


class OnlineRound:
    """One round whose requests are sent as immediate calls.

    Args:
        shared: objects shared by the attempt.
        order: the job's parameters.
        limit: the limit of its cost.
        rungs: tiers to use one after another; none: only the tier in the attempt's state.

    Attributes:
        over: why no more requests were sent in the last tier although some remained; empty: none remained.
        stopped: why the service stopped answering; None: it answered or refused all requests.
    """

    def __init__(
        self, shared: Shared, order: Order, limit: CostLimit | None, rungs: Sequence[Rung] = ()
    ) -> None:
        self._shared, self._order, self._limit, self._rungs = shared, order, limit, rungs
        self._settings, self._task, self._client = shared.settings, shared.task, shared.client
        self.over = ""
        self._batch = Round(shared, order, limit)
        place = self._settings.journal_uri(self._client.config)
        self._journals = Journals(self._client, str(place), order.model)
        self.stopped: OnlineStopped | None = None

    @property
    def ending(self) -> Ending:
        """How the round ended, or how the wait for a job found in its place ended."""
        return self._batch.ending

    def submit(self, start: RoundStart) -> list[BatchJob] | AskAgain:
        """Send the requests of this round that have no line in its journal; see `Round.submit`.

        Journal lines of earlier attempts count. If an earlier attempt has a job with the same requests, wait for it
        instead.

        Returns:
            The journal parts of each attempt, as ended jobs. Requests may have no line if the service stopped
            answering, see `stopped`.

        Raises:
            JobCancelled: the task was killed.
            JobTimedOut: its time is over.
            ResultsNotWritten: the journal cannot be written.
        """
        prepared, attempt, state = start.prepared, start.attempt, start.state
        if prepared.table is None and not (prepared.readable and prepared.keyed):
            raise unreadable_source(", ".join(self._order.source.gcs_uri) or "src")
        own = self._batch.identity(start, prepared)
        if self._was_submitted(start):
            return self._batch.submit(start)
        if prepared.table is not None:
            prepared = read_placed(prepared.table, own, self._reader(prepared))
        journal = self._journals.of_round(own.tag)
        before = self._before(journal, attempt, state)
        rest = _without(prepared, journal, before)
        reattached = journal.jobs(before)
        for job in self._beside(start.identity, own.tag, state):
            writer = Writer.of(job.name)
            other = self._journals.of_round(writer.tag)
            parts = [part for part in other.parts() if part.writer == writer.name]
            rest = rest and _without(rest, other, parts)
            reattached.append(job)
            before = [*before, *parts]
        for job in reattached:
            state.come_to(job, reattached=True)
        self._count_paid([Writer.of(job.name) for job in reattached])
        if rest is None:
            log.info("Earlier immediate calls have answered all requests of this round: nothing is sent.")
            return reattached
        self._refuse_late(state, before)
        self._check(prepared, journal, state)
        if before:
            log.info(
                "Earlier immediate calls have answered %d of %s; %s will be sent now.",
                sum(part.lines for part in before),
                number_of(prepared.requests, "request"),
                number_of(rest.requests, "request"),
            )
        return [*reattached, *self._climb(rest, journal, own.tag, state)]

    def _climb(
        self, rest: PreparedInput, journal: Journal, tag: str, state: AttemptState
    ) -> Iterator[BatchJob]:
        """Send the rest in tier after tier; yield the journal parts of each."""
        left: PreparedInput | None = rest
        rungs = self._rungs or [PlainRung(Tier(state.tier))]
        for rung in rungs:
            if left is None or self.stopped is not None:
                return
            writer = Writer.new(tag, rung.tier, self._client.service_time(), uuid4().hex[:8])
            asked = self._ask(left, journal, writer, rung, state)
            after = None if asked.durable == left.requests else _without(left, journal, asked.parts)
            short = asked.stopped is not None or after is not None
            mine = journal.job(writer.name, asked.parts, stopped=short)
            state.come_to(mine, reattached=False)
            yield mine
            self.over = asked.over if after is not None else ""
            if asked.stopped is not None and (
                asked.stopped.why != Meaning.NO_TIER.value or rung is rungs[-1]
            ):
                self.stopped = asked.stopped
            left = after

    def _count_paid(self, writers: Sequence[Writer]) -> None:
        """Count what earlier attempts of the run have paid towards the limit of the whole run."""
        for rung in (rung for rung in self._rungs if isinstance(rung, LastRung) and rung.counts):
            for writer in writers:
                if writer.tier is rung.tier is Tier.STANDARD:
                    journal = self._journals.of_round(writer.tag)
                    rung.count_paid(
                        journal.lines([part for part in journal.parts() if part.writer == writer.name])
                    )

    @staticmethod
    def _refuse_late(state: AttemptState, before: Sequence[Part]) -> None:
        """Refuse requests that would be late anyway, if none is paid for yet."""
        if state.ready is not None and state.ready.late and not before and not state.mine:
            raise past(state.ready.at)

    def comes_to(self, jobs: Sequence[BatchJob], start: RoundStart) -> bool:
        """Whether the round would reattach to one of these jobs."""
        own = self._batch.identity(start, start.prepared)
        return any(own.owns(job) for job in jobs)

    def begun(self, start: RoundStart) -> bool:
        """Whether an earlier attempt has begun this round, by calls or by a job, whatever the outcome."""
        if self._task.is_first_try:
            return False
        own = self._batch.identity(start, start.prepared)
        return bool(self._journals.of_round(own.tag).parts()) or self._batch.begun(start)

    # ------------------------------------------------------------

    def _reader(self, prepared: PreparedInput) -> InputReader:
        """Return what checks and spools the requests of a table's rows."""
        order, media = self._order, keeps_media(self._settings)
        asks = (order.source, order.model, order.request_defaults, None)
        return InputReader(prepared.stack, self._client, *asks, several_jobs=True, keeps_media=media)

    def _was_submitted(self, start: RoundStart) -> bool:
        """Whether an earlier attempt in another tier has jobs with the same requests or a part of them."""
        attempt = start.attempt
        if not (attempt.look_first and attempt.reattach):
            return False
        found = self._shared.finder.find(start.identity, self._task.owner.run_begin)
        useful = [job for job in found if job.name not in attempt.before and worth(job) is not Worth.NOTHING]
        return bool(useful) and self._batch.comes_to(useful, start)

    @staticmethod
    def _before(journal: Journal, attempt: Attempt, state: AttemptState) -> list[Part]:
        """Return the parts that count: those of this attempt, and of earlier attempts unless `reattach` is off."""
        parts = journal.parts()
        if attempt.reattach:
            return parts
        return [part for part in parts if journal.job(part.writer, parts).name in state.mine]

    def _beside(self, identity: Identity, tag: str, state: AttemptState) -> list[BatchJob]:
        """Return immediate calls that earlier attempts made after other jobs than those that this round follows."""
        settings = self._settings
        if self._task.is_first_try or not settings.reattach or state.piloting:
            return []
        if not state.left_until and settings.retry_tier is None:
            return []
        rounds = range(state.round, LAST_ROUND if state.left_until else state.round + 1)
        found = self._journals.since(identity, rounds, known=state.done)
        return [job for job in found if Writer.of(job.name).tag != tag]

    def _check(self, prepared: PreparedInput, journal: Journal, state: AttemptState) -> None:
        """Make sure that the journal can be written, and that the cost is within its limit.

        Raises:
            ConfigurationError: the journal cannot be written.
            CostLimitExceeded: the requests may cost more than is left.
        """
        if self._limit is not None:
            self._limit.check(prepared, state.spent)
        probe = f"{journal.folder}/{Part.named('standard-0000000000-00000000', 0, PART_LINES, 0).name}"
        if (
            self._settings.results_uri is not None
        ):  # else statements write the table, which is checked already
            check_writable(self._settings.results_uri, self._client)
        check_writable(probe, self._client, what="Answers of immediate calls", given=f"{journal.folder}/")
        if self._settings.media_uri is not None:
            check_media_writable(self._settings.media_uri, self._client)

    def _ask(
        self, rest: PreparedInput, journal: Journal, writer: Writer, rung: Rung, state: AttemptState
    ) -> Asked:
        tier = rung.tier
        settings = OnlineSettings(
            tier=tier, max_calls=MAX_CALLS, max_unkept=MAX_CALLS + PART_LINES, patience=rung.patience
        )
        asking = Asking(
            self._client.config,
            self._order.model,
            settings,
            journal,
            writer.name,
            rung=rung,
            requests=rest.requests or 0,
        )
        until = clock.monotonic() + self._settings.budget(self._order.backend)
        watch = self._watch(asking, journal, until, state)
        sent = number_of(rest.requests, "request")
        log.info("Sending %s as immediate calls, in the %s tier.", sent, tier.value)
        try:
            watch()
            asked = asking.ask(rest.request_lines(), watch)
        except OSError as error:
            kept = number_of(asking.asked.durable, "answer")
            msg = (
                f"The answers of immediate calls could not be written to {journal.folder}: {error}. The calls were "
                f"stopped. The folder has {kept}; at most {settings.max_unkept} more are billed and could not be kept. "
                "The next attempt sends the rest."
            )
            raise ResultsNotWritten(msg, job_names=[writer.job_name]) from error
        except BaseException as ended:
            log.warning(
                "The immediate calls were stopped (%s): %s",
                type(ended).__name__,
                _kept(asking.asked, journal),
            )
            raise
        log.info("Immediate calls: %s", _told(asked))
        if asked.stopped is not None:
            log.warning("%s", asked.stopped)
        if asked.over:
            log.warning("No more requests are sent in the %s tier: %s.", tier.value, asked.over)
        return asked

    def _watch(
        self, asking: Asking, journal: Journal, until: float, state: AttemptState
    ) -> Callable[[], None]:
        def watch() -> None:
            if self._task.killed:
                msg = f"The task was killed during its immediate calls. {_kept(asking.asked, journal)}"
                raise JobCancelled(msg, job_names=state.done, manifest=state.manifest)
            if clock.monotonic() > until:
                msg = f"The deadline passed during the immediate calls. {_kept(asking.asked, journal)}"
                raise JobTimedOut(msg, job_names=state.done, manifest=state.manifest)
            self._task.stop_if_over(
                f"The task ran out of Airflow's time during its immediate calls. {_kept(asking.asked, journal)}"
            )

        return watch


def _without(prepared: PreparedInput, journal: Journal, parts: Sequence[Part]) -> PreparedInput | None:
    """Return the requests without a line in these parts; None: all have one."""
    if not parts:
        return prepared
    answered = journal.keys(parts)
    try:
        return subset(prepared, lambda key, _place: key is None or key not in answered)
    except InputError:  # none is left
        return None


def _kept(asked: Asked, journal: Journal) -> str:
    return (
        f"{journal.folder} keeps {number_of(asked.durable, 'billed answer')} of this attempt. Calls in progress were "
        f"dropped, at most {MAX_CALLS}, and may be billed. The next attempt uses the kept answers and sends the others."
    )


def _told(asked: Asked) -> str:
    counts = asked.counts
    if counts is None:
        return "nothing"
    tiers = ", ".join(
        f"{number} {tier.value if tier else 'unknown'}" for tier, number in counts.tiers.items()
    )
    refused = ", ".join(f"{number} {why.value}" for why, number in counts.refused.most_common())
    return (
        f"{counts.answered} answered ({tiers or 'none'}), {counts.given_up} given up, by "
        f"{number_of(counts.calls, 'call')}" + (f"; refused: {refused}" if refused else "") + "."
    )
