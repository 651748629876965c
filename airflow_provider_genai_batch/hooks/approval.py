"""Asks a person through Airflow's required actions (3.1 and later).

Source: the code of Airflow 3.3.2. A task instance has one question. Before 3.4, a second question shows the text and
the options of the first one, and deletes its answer; later attempts keep the same database row. From 3.3 on, an answer
wakes the task from any deferral and removes the trigger, so no question may be open during a deferral. A task that
parks when an answer already exists is resumed with it at once. So a later attempt parks for a moment, which closes an
open question or brings back its answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from packaging.version import Version

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import ApprovalOutdated, ConfigurationError, JobError
from airflow_provider_genai_batch.hooks.state_store.state_store import NotCurrentError, StateStore
from airflow_provider_genai_batch.models import Approved, Pilot
from airflow_provider_genai_batch.models.settings.question import amount_in
from airflow_provider_genai_batch.task.pilot.approval import read_approved

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_genai_batch.models.settings.question import Question

log = logging.getLogger(__name__)

COLLECTS = "collects"
"""A key in the data kept with a question: the question is one of an earlier attempt, and is being closed."""
_RESUME = "execute_after_answer"
_KEY = "genai_batch_approval"
_OPEN, _APPROVED = "open", "approved"
_OLDEST = Version("3.1")
_CLOSES = timedelta(seconds=5)
"""How long an open question is waited for before it is closed. Airflow 3.3 considers a task failed if it resumes before
the scheduler knows that the earlier process has ended, which takes a second."""


def check_asking(pilot: Any, airflow: str | None = None) -> None:
    """Refuse ``approve_above`` if this version of Airflow cannot ask a person.

    Args:
        pilot: the task's parameter.
        airflow: a version of Airflow; None: the installed one.

    Raises:
        ConfigurationError: this version cannot.
    """
    found = Pilot.of(pilot)
    if found is None or found.approve_above is None:
        return
    from airflow import __version__

    version = airflow or __version__
    if Version(version).release < _OLDEST.release:
        msg = (
            f"approve_above needs Airflow's required actions, which came with 3.1; this is {version}. Leave "
            "it out, and set max_cost instead, or update Airflow."
        )
        raise ConfigurationError(msg)


def for_good(error: JobError) -> JobError:
    """Return an error of the same kind after which Airflow does not retry the task."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    cls: Any = type(error)
    kind = type(cls.__name__, (cls, AirflowFailException), {"__module__": cls.__module__})
    final: JobError = cls.__new__(kind)
    final.__dict__.update(error.__dict__)
    final.args = error.args
    return final


class Approvals:
    """The question of a task instance and the approved amount, kept in Airflow's task state store (3.3 and later).

    Without a store nothing is known about earlier attempts. Then existing jobs show that they were approved; otherwise
    the person is asked again.

    Args:
        context: Airflow's context.
    """

    def __init__(self, context: Context) -> None:
        self._ti: Any = context["ti"]
        self._store = StateStore.of(context)

    def approved(self) -> Approved | None:
        """Return what was approved; None: nothing, or it is not known."""
        return read_approved(self._kept().get(_APPROVED))

    def close(self, approved: Approved | None) -> None:
        """Record that no question is open, and what was approved since the last time."""
        kept = self._kept()
        if approved is not None:
            kept[_APPROVED] = approved.model_dump(mode="json")
        self._keep({name: value for name, value in kept.items() if name != _OPEN})

    def collect(self) -> None:
        """Leave the worker for a moment if an earlier attempt has left a question open.

        The task resumes with the answer, or with the news that the question was closed without one.
        """
        asked = self._kept().get(_OPEN)
        if not isinstance(asked, Mapping) or _awaiting() is None:
            return
        log.warning(
            "An earlier attempt left its question open. It is closed now; if somebody has answered it, that counts."
        )
        self._park({**asked, COLLECTS: True}, _CLOSES)

    def ask(
        self,
        question: Question,
        asked: Mapping[str, Any],
        memo: Mapping[str, Any],
        defer: Callable[..., NoReturn],
    ) -> NoReturn:
        """Ask, and leave the worker until there is an answer.

        Args:
            question: the question.
            asked: see `task.pilot.approval.Asked`.
            memo: data that this attempt needs to go on, but another attempt does not.
            defer: Airflow's own method, for versions in which a task that waits for a person is deferred.

        Raises:
            ApprovalOutdated: people would see an earlier question, about a smaller amount or for other users. Airflow
                does not retry the task.
        """
        self._keep({**self._kept(), _OPEN: {**asked}})
        option = self._shown(question)
        asked = {**asked, "option": option}
        if option != question.yes:
            self._keep({**self._kept(), _OPEN: asked})
        log.info(
            "Waiting for a person: %s Options: %s.\n%s", question.subject, [*question.options], question.body
        )
        timeout = None if question.timeout is None else timedelta(seconds=question.timeout)
        kept = {**asked, **memo}
        if _awaiting() is not None:
            self._park(kept, timeout)
        from airflow.providers.standard.triggers.hitl import HITLTrigger

        trigger = HITLTrigger(
            ti_id=self._ti.id,
            options=[option, *question.options[1:]],
            params={},
            defaults=_defaults(question),
            timeout_datetime=None if timeout is None else clock.now() + timeout,
        )
        defer(trigger=trigger, method_name=_RESUME, kwargs={"asked": kept})

    def _shown(self, question: Question) -> str:
        """Open the question, and return the approving option on the page that people see."""
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

        payload = CreateHITLDetailPayload(
            ti_id=self._ti.id,
            options=question.options,
            subject=question.subject,
            body=question.body,
            defaults=_defaults(question),
            multiple=False,
            params={},
            assigned_users=[{**user} for user in question.assigned_users],
        )
        shown: Any = task_runner.SUPERVISOR_COMMS.send(payload)
        options = getattr(shown, "options", None) or question.options
        users = _ids(getattr(shown, "assigned_users", None) or ())
        amount, wanted = amount_in(options[0]), _ids(question.assigned_users)
        if amount is not None and amount >= question.usd and users == wanted:
            if getattr(shown, "body", question.body) != question.body:
                log.warning(
                    "Airflow before 3.4 shows the first question of a task again, which was to %s: this log has the "
                    "current figures.",
                    options[0],
                )
            return str(options[0])
        who = f" to {', '.join(users) or 'everybody'}" if users != wanted else ""
        msg = (
            f"{question.subject} cannot be asked: this version of Airflow shows the first question of a task again, "
            f"which was {options[0]!r}{who}, and its answer does not answer this question. The pilot's answers are "
            "kept; the other requests were not submitted. Airflow does not retry the task. Ask in a new run of the "
            "DAG, or raise approve_above if you approve the amount, and clear the task."
        )
        raise for_good(ApprovalOutdated(msg, job_names=()))

    def _park(self, asked: Mapping[str, Any], timeout: timedelta | None) -> NoReturn:
        awaiting = _awaiting()
        assert awaiting is not None  # noqa: S101 - callers have checked it
        raise awaiting(method_name=_RESUME, kwargs={"asked": {**asked}}, timeout=timeout)

    def _kept(self) -> dict[str, Any]:
        kept = None if self._store is None else self._store.get(_KEY, "what was approved")
        return {**kept} if isinstance(kept, Mapping) else {}

    def _keep(self, value: Mapping[str, Any]) -> None:
        if self._store is None:
            return
        try:
            self._store.set(_KEY, {**value}, "what a person is asked, or has approved")
        except NotCurrentError as error:
            raise error.cause from None


def _awaiting() -> Any:
    """Return the exception that makes a task wait for a person (3.3 and later); None: Airflow has none."""
    try:
        from airflow.sdk.exceptions import TaskAwaitingInput
    except ImportError:
        return None
    return TaskAwaitingInput


def _defaults(question: Question) -> list[str]:
    """Return the option that counts if nobody answers. Without a timeout, it is the one that closes the question."""
    return [question.on_timeout]


def _ids(users: Sequence[Any]) -> list[str]:
    return sorted(str(user["id"] if isinstance(user, Mapping) else user.id) for user in users)
