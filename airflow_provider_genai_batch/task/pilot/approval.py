"""Approval of a task's cost by a person, between its pilot and the other requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from airflow_provider_genai_batch.exceptions import ApprovalOutdated, ApprovalRejected
from airflow_provider_genai_batch.models.settings.approval import APPROVE, REJECT, Approval, Approved
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from airflow_provider_genai_batch.models.settings.question import NO, Question, amount_in
from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.task.pilot.question import Figures, question_of, rounded_up

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import Plan
    from airflow_provider_genai_batch.models.jobs.identity import Identity
    from airflow_provider_genai_batch.task.pilot.judge import GoodPilot
    from airflow_provider_genai_batch.task.ready.plan import ReadyPlan
    from airflow_provider_genai_batch.task.settings.settings import RunSettings
    from airflow_provider_genai_batch.task.state import AttemptState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """Facts about an open question, stored as JSON with the attempt's checkpoint."""

    option: str = ""
    """The option that approves, as in the question that people see."""
    fingerprint: str = ""
    on_timeout: str = REJECT
    requests: int = 0
    """Number of requests that are not submitted yet."""
    spent: float = 0.0
    """Cost of the pilot in USD."""
    job_names: tuple[str, ...] = ()
    manifest: Mapping[str, Any] | None = None
    """Of the pilot."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "job_names": [*self.job_names]}

    def verdict(self, event: Mapping[str, Any]) -> Approved:
        """Read an answer.

        Args:
            event: Airflow's event, after an answer or after its timeout.

        Raises:
            ApprovalRejected: the answer is a rejection.
            ApprovalOutdated: the answer does not belong to this question.
        """
        user, chosen = event.get("responded_by_user"), event.get("chosen_options")
        amount = amount_in(self.option)
        if user is None or event.get("timedout") or "error" in event:
            # Airflow's default option may be that of an earlier question: the current setting counts.
            if (
                event.get("error_type", "timeout") == "timeout"
                and self.on_timeout == APPROVE
                and amount is not None
            ):
                log.warning("Nobody answered in time, which counts as an approval (on_timeout).")
                return self._approved(amount, None, event)
            said = (
                event.get("error")
                if event.get("error_type") not in (None, "timeout")
                else "nobody answered in time"
            )
            raise self._rejected(f"It was not approved: {printable(str(said))}.", None)
        name = printable(str(user.get("name") or user.get("id")))
        if amount is not None and chosen == [self.option]:
            log.info("%s approved it: %s.", name, self.option)
            return self._approved(amount, name, event)
        if chosen == [NO]:
            raise self._rejected(f"{name} rejected it.", name)
        msg = (
            f"{name} answered {printable(str(chosen))}, which is no answer to {self.option!r}. {self._left} The next "
            "attempt asks again."
        )
        raise ApprovalOutdated(msg, job_names=self.job_names, manifest=self.manifest)

    def _approved(self, amount: Decimal, by: str | None, event: Mapping[str, Any]) -> Approved:
        return Approved(usd=float(amount), fingerprint=self.fingerprint, by=by, at=event.get("responded_at"))

    @property
    def _left(self) -> str:
        return (
            f"The other {self.requests} requests were not submitted. The pilot cost {self.spent:.6f} USD; its answers "
            "are kept."
        )

    def _rejected(self, what: str, by: str | None) -> ApprovalRejected:
        msg = (
            f"{what} {self._left} Airflow does not retry the task. Clear it to get the question again: the pilot's "
            "rows are submitted again only if their requests have changed."
        )
        return ApprovalRejected(msg, by=by, job_names=self.job_names, manifest=self.manifest)


def read_approved(stored: Any) -> Approved | None:
    """Read a stored approval; another version of this package may have written it."""
    try:
        return None if stored is None else Approved.model_validate(stored)
    except ValidationError:
        return None


def to_ask(
    settings: RunSettings,
    pilot: GoodPilot,
    state: AttemptState,
    identity: Identity,
    ready: ReadyPlan | None,
    *,
    earlier: Callable[[], Approved | None],
    begun: Callable[[], bool],
    now: float,
) -> tuple[Question, Asked] | Approved | None:
    """Return the question for a person before the other requests are submitted.

    Args:
        settings: the task's settings.
        pilot: the pilot, with its forecast.
        state: the state of the attempt.
        identity: identity of the whole input.
        ready: the deadline of the rows.
        earlier: returns what was approved in earlier attempts.
        begun: tells whether an earlier attempt has begun to submit the others.
        now: seconds since the epoch by the service's clock.

    Returns:
        The earlier approval, if it is enough; None: no approval is needed, or somebody has approved already.
    """
    approval, plan = Approval.of(_pilot_of(settings).approve_above), pilot.plan
    if approval is None or plan is None or plan.own_cost is None:
        return None
    own, later = plan.own_cost.most, None if ready is None else _later(plan, ready)
    most = max(own, later or 0.0)
    if most <= approval.above:
        log.info("No approval is needed: %.6f USD are not above %s.", most, approval.above)
        return None
    # Without reattach, approvals of earlier attempts are useless, like their jobs: all requests are submitted anew.
    known = plan.approved or (earlier() if settings.reattach else None)
    if known is not None and known.fingerprint == identity.fingerprint and most <= known.usd:
        log.info(
            "It was approved before, up to %s USD, by %s.", known.usd, known.by or "the lack of an answer"
        )
        return known
    if settings.reattach and begun():
        log.info(
            "An earlier attempt has begun to submit the other requests, so they were approved: nobody is asked again."
        )
        return None
    counts = (pilot.report or {}).get("counts", {})
    figures = Figures(
        usd=rounded_up(most),
        plan=plan,
        model=settings.model,
        spent=pilot.spent,
        failed=counts.get("total", 0) - counts.get("ok", 0),
        later=later,
        answers=pilot.answers,
    )
    question = question_of(figures, approval, _seconds(approval, state, now))
    asked = Asked(
        option=question.yes,
        fingerprint=identity.fingerprint,
        on_timeout=approval.on_timeout,
        requests=plan.requests - plan.pilot,
        spent=pilot.spent,
        job_names=pilot.job_names,
        manifest=pilot.report,
    )
    return question, asked


def _pilot_of(settings: RunSettings) -> Pilot:
    pilot = Pilot.of(settings.pilot)
    assert pilot is not None  # noqa: S101 - else there is none to approve after
    return pilot


def _later(plan: Plan, ready: ReadyPlan) -> float | None:
    """Return the most that all may cost, in USD, if the rest is sent as immediate calls at the deadline."""
    costs = [plan.cost[tier.value].most for tier in ready.tiers if tier.value in plan.cost]
    if not costs or plan.own_cost is None:
        return None
    extra = ready.ready_by.max_extra_cost
    return max(costs) if extra is None else min(max(costs), plan.own_cost.most + extra)


def _seconds(approval: Approval, state: AttemptState, now: float) -> float | None:
    """Return the seconds to wait for an answer: with a deadline, until just enough time is left for immediate calls."""
    if state.ready is None:
        return approval.seconds
    left = max(1.0, state.ready.latest(state.ready.requests) - now)
    return left if approval.seconds is None else min(approval.seconds, left)
