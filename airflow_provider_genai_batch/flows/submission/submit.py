"""Find or create: how a task comes to its one job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator
from dataclasses import replace
from functools import cached_property
from typing import Any

from airflow_provider_genai_batch.exceptions import (
    BEFORE_SENDING,
    PASSING,
    BeingSetUp,
    CallError,
    CreateOutcomeUnknown,
    JobTimedOut,
    QuotaExceeded,
    ServerError,
    TransportError,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.retry import LONGEST, LONGEST_OF_HOURS, RetryClock
from airflow_provider_genai_batch.flows.steps import (
    AwaitCapacity,
    Create,
    Find,
    FindStep,
    Place,
    Recall,
    Remember,
    Sleep,
    SubmitStep,
)
from airflow_provider_genai_batch.flows.submission.attempt import Attempt, Found
from airflow_provider_genai_batch.flows.submission.own_jobs import (
    Choice,
    choose,
    created_at,
    followed,
    read_job,
)
from airflow_provider_genai_batch.flows.submission.room import lacking
from airflow_provider_genai_batch.flows.submission.withdraw import (
    cancel_others,
    cancel_recorded,
    cancel_twins,
)
from airflow_provider_genai_batch.models import BatchJob, JobState
from airflow_provider_genai_batch.models.identity import Identity

log = logging.getLogger(__name__)

LOOKS_AFTER_LOSS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each look for a job whose create gave no usable answer: lists lag."""
STALE = 30.0
"""Seconds after which what a look showed, or an intent, does not count any more before a create."""
LONGEST_CREATE = 300.0
"""Seconds after an intent in which its create may yet be acted upon: twice as long as a call may take."""
NOTE_SKEW = 600.0
"""Seconds by which the time of a note may be wrong: whoever wrote it may not have known the service's clock."""
_UNCLEAR = (TransportError, ServerError, UnreadableAnswer)


def submit(
    identity: Identity,
    display_name: str,
    attempt: Attempt,
    *,
    budget: float,
    clock: Callable[[], float],
    steady: Callable[[], float] | None = None,
) -> Generator[SubmitStep, Any, Found]:
    """Come to the job of an identity, paying once.

    Args:
        identity: whose job it is, and what it asks.
        display_name: the identity as the service keeps it, for errors.
        attempt: what is known beforehand.
        budget: seconds for which a refusal for lack of capacity is waited out.
        clock: tells the seconds since the epoch, by the service's clock as far as that is known: it may jump when the
            service tells its time first.
        steady: tells seconds that never jump; None: `clock` does not.

    Raises:
        CreateOutcomeUnknown: the create may have been acted upon and the service could not be asked.
        JobTimedOut: there was no capacity until the deadline; nothing was created.
        CallError: the look-up or the create was refused for good; nothing was created.
    """
    return (yield from _Submission(identity, display_name, attempt, budget, clock, steady or clock).run())


def orphan(
    identity: Identity, intent: float | None, clock: Callable[[], float]
) -> Generator[FindStep, Any, BatchJob | None]:
    """Find the job of a create call whose sender died before it knew of the answer.

    Args:
        identity: whose job it is.
        intent: when the call was about to be sent, in seconds since the epoch; None: nobody knows.
        clock: tells the seconds since the epoch.

    Raises:
        CallError: the look-up was refused, or got no answer.
    """
    record = None if intent is None else Record(identity.tag, intent)
    looks = _Submission(identity, "", Attempt(since=intent), 0.0, clock, clock)
    own = yield from looks.patiently(record)
    return choose(job for job in own if job.state is not JobState.FAILED).kept


class _Submission:
    """One run of `submit`, whose arguments it takes.

    Attributes:
        before: existing jobs not to reattach to.
        looked: when the list was read last, in steady seconds.
        sent: when a create call was about to be sent last, in steady seconds.
        doubt: see `Record.doubt`.
        hints: jobs of the task instance as the list showed them last.
    """

    def __init__(
        self,
        identity: Identity,
        display_name: str,
        attempt: Attempt,
        budget: float,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self.identity, self.display_name, self.attempt = identity, display_name, attempt
        self.budget, self.clock, self.steady = budget, clock, steady
        self.before = set(attempt.before)
        # An attempt that stalls may have been given up meanwhile; a first one counts as a look at its begin.
        begun = steady() if attempt.begun is None else attempt.begun
        self.looked = float("-inf") if attempt.resumed else begun
        self.sent = 0.0
        self.doubt = 0.0
        self.hints: list[BatchJob] = []
        self._ended: dict[str, BatchJob] = {}

    def run(self) -> Generator[SubmitStep, Any, Found]:
        """Find or create."""
        record: Record | None = yield Recall()
        self.doubt = 0.0 if record is None else record.unclear
        if self.attempt.look_first and (record is None or not record.tag or record.outdated):
            self.doubt = self.clock()  # nobody has kept notes, so nobody knows
        if not self.attempt.resumed and (self.attempt.look_first or (record is not None and record.tag)):
            found = yield from self._of_earlier_attempts(record)
            if found is not None:
                return found
        yield from self._until_there_is_room()
        yield from self._place()
        return (yield from self._create())

    def _until_there_is_room(self) -> Generator[SubmitStep, Any, None]:
        """Wait, before anything is uploaded, until the job's tokens and those of jobs that go on are within a limit."""
        room = self.attempt.room
        while room is not None and (full := (yield from lacking(room, self.identity))):
            tries = self._tries
            pause = tries.pause()
            if pause is None:
                msg = (
                    f"There was no room for the job until the deadline: {full}. Nothing was created for it, and "
                    "nothing is billed. The next attempt asks again."
                )
                raise JobTimedOut(msg, job_names=())
            log.info("The job waits before it is uploaded: %s; looking again in %.0f s.", full, pause)
            yield AwaitCapacity(pause, tries.failures, tuple(self.before), tries.deadline)

    def _place(self) -> Generator[SubmitStep, Any, None]:
        """Put the input in place; trouble that may pass is waited out as that of a create is."""
        while True:
            try:
                yield Place()
            except PASSING as error:
                tries = self._tries
                pause = tries.pause(error)
                if pause is None:
                    msg = (
                        f"The input could not be put in place until the deadline ({error}). Nothing was created for "
                        "it, and nothing is billed. The next attempt tries again."
                    )
                    raise JobTimedOut(msg, job_names=()) from error
                log.warning(
                    "The input could not be put in place (%s). Nothing was created for it, and nothing is billed; "
                    "trying again in %.0f s.",
                    error,
                    pause,
                )
                yield AwaitCapacity(pause, tries.failures, tuple(self.before), tries.deadline)
            else:
                return

    @cached_property
    def _tries(self) -> RetryClock:
        """The clock of all tries to submit the job, those of placing its input too."""
        attempt = self.attempt
        return RetryClock(
            self.clock,
            deadline=attempt.deadline or None,
            budget=self.budget,
            failures=attempt.refusals,
            longest=LONGEST_OF_HOURS,
        )

    # ------------------------------------------------------------ what is there

    def look(
        self, since: float | None, besides: str = "", sent: float | None = None
    ) -> Generator[FindStep, Any, list[BatchJob]]:
        """Ask the list once; return the identity's own jobs that it shows `besides` one, each read by its name.

        Args:
            since: none is older, in seconds since the epoch; None: nobody knows.
            besides: the name of one that is known.
            sent: when the create call was about to be sent that made them, in steady seconds: what the service says of
                their creation may be another clock's. None: nobody knows.
        """
        self.looked = self.steady()
        hints: list[BatchJob] = yield Find(since)
        self.hints = [job for job in hints if self.identity.is_kin(job)]
        if self.doubt and not _may_yet_come(self.doubt, self.clock()):
            self.doubt = 0.0
        own = []
        for hint in self.hints:
            if not self.identity.owns(hint) or hint.name in (*self.before, besides):
                continue
            job = yield from self._read(hint, sent)
            if job is None:
                log.info("A list shows job %s, which no longer exists.", hint.name)
            elif self.identity.owns(job):
                own.append(job)
        return own

    def _read(self, hint: BatchJob, sent: float | None = None) -> Generator[FindStep, Any, BatchJob | None]:
        if hint.name in self._ended:
            return self._ended[hint.name]
        created = created_at(hint) if sent is None else self.clock() - (self.steady() - sent)
        job = yield from read_job(hint.name, created, self.clock)
        if job is not None and job.state.final:
            self._ended[job.name] = job
        return job

    def patiently(
        self, record: Record | None, known: BatchJob | None = None
    ) -> Generator[FindStep, Any, list[BatchJob]]:
        """Look more than once: lists lag, and the earlier attempt may have died a moment ago.

        Args:
            record: what was written down.
            known: a job of the identity's own that the list need not show.
        """
        own = yield from self._beside(known)
        for pause in LOOKS_AFTER_LOSS if self._may_be_fresh(record) else ():
            if self.attempt.reattach and choose(own, self.attempt.mine).kept:
                break
            yield Sleep(pause)
            own = yield from self._beside(known)
        return own

    def _beside(self, known: BatchJob | None) -> Generator[FindStep, Any, list[BatchJob]]:
        own = yield from self.look(self.attempt.since)
        missing = known is not None and all(job.name != known.name for job in own)
        return [*own, known] if known is not None and missing else own

    def _may_be_fresh(self, record: Record | None) -> bool:
        """Whether there may be a job that lists do not show yet.

        What was written down may have been cleared, so only a record of this very job says that its create was refused,
        or sent long ago.
        """
        if record is None or record.tag != self.identity.tag or record.outdated:
            return True
        last = max(record.intent, record.doubt)
        return bool(last) and _may_yet_come(last, self.clock())

    # ------------------------------------------------------------ of earlier attempts

    def _of_earlier_attempts(self, record: Record | None) -> Generator[SubmitStep, Any, Found | None]:
        """Take up the job of an earlier attempt, and cancel what is not asked any more. None: there is none of use."""
        attempt = self.attempt
        known, gone = None, ""
        if attempt.reattach and record is not None and record.tag == self.identity.tag and record.job:
            known = yield from self._recorded(record)
            gone = record.job if known is None and record.job not in self.before else ""
            choice = choose([known] if known is not None else [], attempt.mine)
            if choice.kept is not None and not self.doubt:
                return self._found(choice)
        own = yield from self.patiently(record, known)
        yield from cancel_others(self.identity, self.hints, self.clock, reattach=attempt.reattach)
        yield from cancel_recorded(
            self.identity, attempt, record, self.clock, seen=[job.name for job in self.hints]
        )
        if not attempt.reattach:
            self.before.update(job.name for job in self.hints)
            return None
        choice = choose(own, attempt.mine)
        if choice.kept is None:
            choice = Choice(followed(self.identity, own, self.hints))
        if choice.kept is not None:
            yield from cancel_twins(self.identity, choice)
            yield from self._note(record, choice.kept)
            return self._found(choice)
        self.before.update(job.name for job in (*own, *self.hints) if self.identity.owns(job))
        self._tell_that_nothing_is_there(record, gone)
        return None

    def _recorded(self, record: Record) -> Generator[SubmitStep, Any, BatchJob | None]:
        """Read the job that was written down."""
        if record.job in self.before:
            return None
        return (yield from read_job(record.job, record.intent, self.clock))

    def _found(self, choice: Choice, before: Collection[str] = ()) -> Found:
        job = choice.kept
        assert job is not None  # noqa: S101 - whoever calls this has seen it
        if job.name in self.attempt.mine:
            return Found(job, reattached=False, before=before, twins=choice.twins)
        log.info("Found job %s of an earlier attempt (%s); nothing is submitted.", job.name, job.state.value)
        return Found(job, reattached=True, before=before, twins=choice.twins)

    def _note(self, record: Record | None, job: BatchJob) -> Generator[SubmitStep, Any, None]:
        """Record the reattached job, where notes are kept and say less."""
        if record is None or (record.tag, record.job, record.doubt) == (
            self.identity.tag,
            job.name,
            self.doubt,
        ):
            return
        created = created_at(job) or record.intent
        yield Remember(Record(self.identity.tag, created, job.name, doubt=self.doubt))

    def _tell_that_nothing_is_there(self, record: Record | None, gone: str) -> None:
        """Warn where rows may have been paid for that nobody can read any more."""
        if gone:
            log.warning(
                "Job %s of an earlier attempt does not exist any more. Its rows cannot be read: all its requests are "
                "asked and paid for again.",
                gone,
            )
        elif not self.hints and (record is None or not record.tag) and not self.attempt.before:
            log.warning(
                "No job of an earlier attempt was found. If there was one, its rows cannot be read: all "
                "requests are asked and paid for again."
            )

    # ------------------------------------------------------------ create

    def _create(self) -> Generator[SubmitStep, Any, Found]:
        """Create, with the intent written down before and the job after."""
        while True:
            intent = yield from self._announced()
            if isinstance(intent, Found):
                return intent
            self.sent = self.steady()
            try:
                job: BatchJob = yield Create()
                log.info("Created job %s.", job.name)
            except (QuotaExceeded, BeingSetUp) as error:
                why = "had no capacity" if isinstance(error, QuotaExceeded) else "was not set up"
                yield Remember(
                    Record(self.identity.tag, doubt=self.doubt)
                )  # refused: there is no job to look for
                pause = self._tries.pause(error)
                if pause is None:
                    msg = (
                        f"The service {why} for the job until the deadline ({error}). Nothing was created "
                        "for it, and nothing is billed. The next attempt asks again."
                    )
                    raise JobTimedOut(msg, job_names=()) from error
                log.warning("The service %s for the job (%s); asking again in %.0f s.", why, error, pause)
                yield AwaitCapacity(pause, self._tries.failures, tuple(self.before), self._tries.deadline)
                continue
            except _UNCLEAR as error:
                self._tries.begin()
                sent = error.method not in BEFORE_SENDING
                found = (yield from self._after_loss(error, intent)) if sent else None
                if found is None:
                    pause = self._tries.pause(longest=LONGEST)
                    if pause is None:
                        if not sent:
                            raise
                        raise CreateOutcomeUnknown(self.display_name, str(error)) from error
                    log.warning("No job was found (%s); trying again in %.0f s.", error, pause)
                    if sent:
                        self.doubt = max(self.doubt, intent.intent)
                    yield Sleep(pause)
                    continue
                job = found
            return (yield from self._created(job, intent))

    def _created(self, job: BatchJob, intent: Record) -> Generator[SubmitStep, Any, Found]:
        """Write the job down; where another create may have been acted upon too, look whether it was."""
        created = created_at(job) or intent.intent
        note = Record(self.identity.tag, created, job.name, doubt=self.doubt)
        yield Remember(note)
        choice = (yield from self._beside_others(job)) if self.doubt else Choice(job)
        kept = choice.kept or job
        if kept.name != job.name:
            yield from self._note(note, kept)
        return Found(kept, kept.name != job.name, tuple(self.before), choice.twins)

    def _announced(self) -> Generator[SubmitStep, Any, Found | Record]:
        """Write down that a create call follows, upon a fresh look; or come to the job of another attempt.

        Whoever took long to get here may have been given up, and another attempt may be at work. And who reads an old
        note takes the create for one that was sent long ago: where to write takes long, the next note allows for it.
        Where nothing can be written, nobody says that this attempt is still the task's own, so the service is looked at
        instead.
        """
        took = 0.0
        for last in (False, False, True):
            if self.steady() - self.looked > STALE and (other := (yield from self._looked())) is not None:
                return other
            begun, began = self.clock(), self.steady()
            intent = Record(self.identity.tag, begun + took, doubt=self.doubt)
            kept = yield Remember(intent)
            took = self.steady() - began
            if took <= STALE and kept is not False:
                break
            if last or kept is False:
                if (other := (yield from self._looked())) is not None:
                    return other
                break
        return replace(intent, intent=begun)

    def _looked(self) -> Generator[SubmitStep, Any, Found | None]:
        """Look for the job of another attempt. Those of no use go into `before`."""
        choice = choose((yield from self.look(self.attempt.since)), self.attempt.mine)
        if choice.kept is not None:
            yield from cancel_twins(self.identity, choice)
            return self._found(choice)
        self.before.update(job.name for job in self.hints if self.identity.owns(job))
        return None

    def _after_loss(self, cause: CallError, intent: Record) -> Generator[SubmitStep, Any, BatchJob | None]:
        """Look more than once for a job that was not there `before`. "I could not look" is never "it is not there"."""
        log.warning("The create call gave no usable answer (%s); looking for the job.", cause)
        blind: CallError | None = None
        for pause in LOOKS_AFTER_LOSS:
            yield Sleep(pause)
            try:
                new = yield from self.look(intent.intent, sent=self.sent)
            except CallError as error:
                blind = error
                continue
            blind = None
            if new:
                choice = choose(new)
                yield from cancel_twins(self.identity, choice)
                job = choice.kept or new[0]
                log.info("Found job %s: the create call had arrived.", job.name)
                return job
        if blind is not None:
            raise CreateOutcomeUnknown(self.display_name, f"{cause}; then {blind}") from blind
        return None

    def _beside_others(self, job: BatchJob) -> Generator[SubmitStep, Any, Choice]:
        """Look whether there is a twin of the job that was just created, of a create call that nobody heard of."""
        for pause in LOOKS_AFTER_LOSS:
            yield Sleep(pause)
            try:
                others = yield from self.look(self.attempt.since, besides=job.name)
                if not others:
                    continue
                choice = choose([(yield from self._read(job)) or job, *others])
                yield from cancel_twins(self.identity, choice)
            except CallError as error:
                log.warning("Could not check whether job %s has a twin: %s", job.name, error)
            else:
                return choice
        return Choice(job)


def _may_yet_come(sent: float, now: float) -> bool:
    """Whether a create call may yet be acted upon, or its job be hidden, that was sent at a time that may be wrong."""
    return sent + STALE + LONGEST_CREATE + sum(LOOKS_AFTER_LOSS) + NOTE_SKEW > now
