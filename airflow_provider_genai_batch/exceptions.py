"""Every error that this package raises on purpose.

A message says three things: what happened, what became of the job and the money, and what the next attempt
will do. Most errors take attributes, and make the message from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.printable import printable

_LONGEST = 8000
"""The most characters of a message. Longer texts come from other software, whose own logs have the rest."""


class GenAIBatchError(Exception):
    """Base of all errors that this package raises on purpose. The message is one line of printable text."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message, _LONGEST))

    def add(self, sentence: str) -> None:
        """Add a sentence to the message that only a caller can know."""
        said = str(self)
        self.args = (f"{said}{'' if said.endswith(('.', '!', '?')) else '.'} {sentence}",)


# ---------------------------------------------------------------- before anything is sent


class ConfigurationError(GenAIBatchError):
    """The connection or the parameters cannot work; nothing was sent."""


class InputError(GenAIBatchError):
    """The service would not accept the input; nothing was paid."""


class UnsupportedError(InputError):
    """The chosen backend cannot do this; the message says what can."""


class RequestError(InputError):
    """One request is not usable.

    Attributes:
        where: ``line 17 of gs://b/in.jsonl`` or ``request 3``; empty if unknown.
        reason: what is wrong with it.
        remedy: what to do about it.
    """

    def __init__(self, reason: str, remedy: str = "", *, where: str = "") -> None:
        self.where, self.reason, self.remedy = where, reason, remedy
        super().__init__(": ".join(p for p in (where, reason) if p) + (f". {remedy}" if remedy else ""))

    def at(self, where: str) -> RequestError:
        """Return the same error with its place."""
        return type(self)(self.reason, self.remedy, where=where)


class ManifestError(InputError):
    """A value that should be a manifest (the XCom of an operator of this package) cannot be read as one."""


class CostLimitExceeded(GenAIBatchError):
    """Requests may cost more than ``max_cost`` leaves for them; they were not submitted.

    Attributes:
        max_cost: USD.
        expected: the most that these requests may cost, USD.
        spent: the cost of earlier rounds of the task, USD.
        requests: the number of requests.
        arithmetic: how `expected` was calculated.
    """

    def __init__(
        self, *, max_cost: float, expected: float, spent: float, requests: int, arithmetic: str
    ) -> None:
        self.max_cost, self.expected, self.spent = max_cost, expected, spent
        self.requests, self.arithmetic = requests, arithmetic
        before = (
            f" The jobs of earlier rounds have ended; their answered rows are paid for with {spent:.6f} USD and are "
            "still at the service."
            if spent
            else ""
        )
        super().__init__(
            f"These requests may cost up to {expected:.6f} USD, and max_cost={max_cost} leaves "
            f"{max(max_cost - spent, 0):.6f}: "
            f"{arithmetic} They were not submitted, and nothing is billed for them.{before} The next attempt refuses "
            "them too, unless max_cost or the requests change: max_output_tokens in request_defaults, or fewer of them."
        )


class DailyCostExceeded(CostLimitExceeded):
    """Jobs may cost more than ``max_cost_per_day`` leaves of the day, so they were not submitted, or were withdrawn.

    Attributes:
        max_cost: the limit of the day, USD.
        expected: the most that the task's next jobs may cost, USD.
        spent: the most that the jobs of the day may cost so far, USD.
        requests: the number of requests of the round.
        arithmetic: how their cost was calculated.
        of: whose jobs count: ``connection`` or ``dag``.
        jobs: how many jobs of the day there are.
        day: the day (UTC), such as ``2026-11-29``.
    """

    def __init__(  # noqa: PLR0913 - keyword-only
        self,
        *,
        max_cost: float,
        expected: float,
        spent: float,
        requests: int,
        arithmetic: str,
        of: str,
        jobs: int,
        day: str,
        became: str,
    ) -> None:
        self.max_cost, self.expected, self.spent = max_cost, expected, spent
        self.requests, self.arithmetic = requests, arithmetic
        self.of, self.jobs, self.day = of, jobs, day
        GenAIBatchError.__init__(
            self,
            f"The next jobs may cost up to {expected:.6f} USD, and max_cost_per_day={max_cost:g} leaves "
            f"{max(max_cost - spent, 0):.6f} of {day} (UTC): jobs of this {of} that were created since 00:00 ({jobs}) "
            f"may cost {spent:.6f} together. {became} Each attempt counts anew: the next day has room, and so has "
            "one of whose jobs some have ended without an answer. Or send fewer requests, set a lower "
            f"max_output_tokens in request_defaults, or raise max_cost_per_day. How it was counted: {arithmetic}",
        )


# ---------------------------------------------------------------- one call to the service


class CallError(GenAIBatchError):
    """A call to the service got no usable answer.

    Attributes:
        method: Google's name of the method, such as ``batches.get``.
        retry_after: the seconds that the service asks to wait (``Retry-After``, else ``RetryInfo``), or None.
    """

    retry_after: float | None = None

    def __init__(self, message: str, *, method: str = "") -> None:
        self.method = method
        super().__init__(f"{method}: {message}" if method else message)

    def tell(self, sentences: str) -> None:
        """Add sentences about the job, the money and the next attempt."""
        self.args = (f"{str(self).rstrip('. ')}. {sentences}", *self.args[1:])


class TransportError(CallError):
    """There was no complete answer: the connection was refused, reset, cut off, or timed out.

    The service may have carried out the call.
    """


class UnreadableAnswer(CallError):
    """The status was a success, but the body is unreadable. The service has probably carried out the call."""


class ApiError(CallError):
    """The service refused the call.

    Attributes:
        code: HTTP status.
        status: canonical name such as ``INVALID_ARGUMENT``; empty if the body had none.
        reason: ``ErrorInfo.reason`` such as ``API_KEY_INVALID``; empty if absent.
        message: the service's own text.
        details: ``google.rpc.Status.details``, unchanged.
        retry_after: seconds from ``Retry-After``, else from ``RetryInfo``; None if neither was sent.
    """

    remedy = ""

    def __init__(
        self,
        message: str,
        *,
        code: int,
        status: str = "",
        reason: str = "",
        details: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
        method: str = "",
    ) -> None:
        self.code, self.status, self.reason, self.message = code, status, reason, message
        self.details, self.retry_after = tuple(details), retry_after
        shown = " ".join(p for p in (str(code), status, reason) if p)
        said = printable(message)
        super().__init__(f"{shown}: {said}" + (f" {self.remedy}" if self.remedy else ""), method=method)


class BadRequest(ApiError):
    """400, or another 4xx that has no class here: the request itself is wrong."""


class AuthenticationError(ApiError):
    """401, or 400 ``API_KEY_INVALID``, which means the same: the credentials are not accepted."""

    remedy = "Check the Password (API key) or the service-account key of the Airflow connection."


class PermissionDenied(ApiError):
    """403: the credentials are valid, but not allowed to do this. The service also answers so for deleted files."""

    remedy = "Check the roles of the connection's account, and that the resource belongs to its project."


class NotFound(ApiError):
    """404: no such job, file or model."""


class AlreadyExists(ApiError):
    """409: the name is already in use."""


class PreconditionFailed(ApiError):
    """412, or 400 ``FAILED_PRECONDITION``: the resource is not in the state that this call needs."""


class BeingSetUp(PreconditionFailed):
    """A 4xx for a new project whose service agents Google is still setting up. Nothing was created."""


class QuotaExceeded(ApiError):
    """429: too many calls, tokens, or jobs. Nothing was created."""


class ServerError(ApiError):
    """408, 499 or 5xx: the service failed. It may have carried out the call all the same."""


PASSING = (QuotaExceeded, ServerError, TransportError, UnreadableAnswer)
"""Failures that the request did not cause, and that may be gone at the next try."""
BEFORE_SENDING = frozenset({"oauth.token", "secretmanager.access"})
"""Methods of calls for a token. If one fails, the call that needs the token is not sent."""


class CreateOutcomeUnknown(GenAIBatchError):
    """A create call got no usable answer, and looking for the job gave none either.

    Attributes:
        display_name: the display name to look for in the service's list of jobs.
    """

    def __init__(self, display_name: str, cause: str) -> None:
        self.display_name = display_name
        super().__init__(
            f"The create call was sent but its outcome is unknown ({cause}). A job named {display_name!r} "
            "may be running and may be billed. It was not sent a second time. The next attempt looks for that "
            "job before it creates one."
        )


# ---------------------------------------------------------------- a job that ended, or cannot be waited for


class JobError(GenAIBatchError):
    """A job did not deliver what the task needs.

    Attributes:
        job_names: the names of these jobs.
        manifest: the manifest as far as it is known (a dict), or None.
    """

    def __init__(
        self, message: str, *, job_names: Sequence[str], manifest: Mapping[str, Any] | None = None
    ) -> None:
        self.job_names, self.manifest = tuple(job_names), manifest
        super().__init__(message)


class JobFailed(JobError):
    """The service ended the job as FAILED; the message contains the service's reason."""


class JobExpired(JobError):
    """The service gave the job up after its time limit, without rows."""


class JobCancelled(JobError):
    """Somebody cancelled the job before it had rows."""


class JobPaused(JobError):
    """The job is paused; it was not touched."""


class JobTimedOut(JobError):
    """The task's own deadline passed before the job ended."""


class DeadlineMissed(JobError):
    """The moment of ``ready_by`` passed before all rows had an answer; the answered rows are landed."""


class JobLost(JobError):
    """The job can no longer be read (401, 403, 404)."""


class OutputNotReadable(JobError):
    """The job succeeded, but its rows could not be read within the time allowed for that."""


class ResultsNotWritten(JobError):
    """The rows could be read, but not written to ``results_uri``."""


class ChecksFailed(JobError):
    """Enough rows are good, but a check over all of them failed."""


class PilotFailed(JobError):
    """More rows of the pilot failed than it allows; the other requests were not submitted."""


class ApprovalRejected(JobError):
    """A person rejected the cost, or nobody answered in time; the other requests were not submitted.

    Airflow does not retry the task.

    Attributes:
        by: the name of the person who answered; None: nobody answered in time.
    """

    def __init__(
        self,
        message: str,
        *,
        by: str | None = None,
        job_names: Sequence[str] = (),
        manifest: Mapping[str, Any] | None = None,
    ) -> None:
        self.by = by
        super().__init__(message, job_names=job_names, manifest=manifest)


class ApprovalOutdated(JobError):
    """A question or an answer is about another amount than the current one; nothing was approved."""


class TooManyFailedRows(JobError):
    """More rows failed than ``max_failed_rows`` allows."""


class OnlineStopped(JobError):
    """The service stopped answering immediate calls for a long time or for good; earlier answers were delivered.

    Attributes:
        why: ``day``, ``cap``, ``no tier`` or ``fatal``.
        cause: the refusal.
        answered: rows that were answered before.
        maybe_billed: calls that got no complete answer, and may be billed.
    """

    def __init__(self, why: str, cause: GenAIBatchError, *, answered: int, maybe_billed: int) -> None:
        self.why, self.cause, self.answered, self.maybe_billed = why, cause, answered, maybe_billed
        unknown = (
            f" {maybe_billed} calls got no complete answer, and may be billed too." if maybe_billed else ""
        )
        msg = (
            f"No more immediate calls were sent: {str(cause).rstrip('. ')}. {answered} rows had been answered and are "
            f"billed.{unknown} The others were not answered. {_AFTER_A_STOP.get(why, '')}"
        )
        super().__init__(msg, job_names=())


_AFTER_A_STOP = {
    "day": "The daily quota resets at midnight in California; an attempt before that is refused too.",
    "cap": "Each attempt is refused until somebody raises the spending cap or its month is over.",
    "no tier": "Each attempt is refused too: use the standard tier, or a batch job.",
    "fatal": "Each attempt is refused until the problem that the service names is solved.",
}
