"""A person is asked by Airflow's required actions (3.1 and later).

Read in Airflow 3.3.2: a task instance has one question. Until 3.4 a second one shows the text and the options of the
first, and empties its answer; the row goes along to further attempts. From 3.3 on an answer wakes the task out of any
deferral, whose trigger then is gone: so none may be open beside one. A task that parks while the answer is there is
resumed with it at once; so a further attempt closes a question, or comes to its answer, by parking for a moment.
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
"""Of what is kept beside a question: it is one of an earlier attempt, and is being closed."""
_RESUME = "execute_after_answer"
_KEY = "genai_batch_approval"
_OPEN, _APPROVED = "open", "approved"
_OLDEST = Version("3.1")
_CLOSES = timedelta(seconds=5)
"""After which an open question is closed. Airflow 3.3 takes a task for failed that goes on before its scheduler knows
that the process before has ended, which takes a second."""


def check_asking(pilot: Any, airflow: str | None = None) -> None:
    """Refuse ``approve_above`` where Airflow has no way to ask a person.

    Args:
        pilot: of the task.
        airflow: its version; None: of the one that is here.

    Raises:
        ConfigurationError: it has none.
    """
    found = Pilot.of(pilot)
    if found is None or found.approve_above is None:
        return
    from airflow import __version__

    version = airflow or __version__
    if Version(version).release < _OLDEST.release:
        msg = (
            f"approve_above asks a person by Airflow's required actions, which came with 3.1; this is {version}. Leave "
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
    """The question of a task instance, and what was approved, as Airflow's task state store keeps it (3.3 and later).

    Without a store nothing is known of earlier attempts; then jobs tell that they were approved, or it is asked again.

    Args:
        context: Airflow's.
    """

    def __init__(self, context: Context) -> None:
        self._ti: Any = context["ti"]
        self._store = StateStore.of(context)

    def approved(self) -> Approved | None:
        """Return what was approved; None: nothing, or nobody says."""
        return read_approved(self._kept().get(_APPROVED))

    def close(self, approved: Approved | None) -> None:
        """Take note that no question is open, and of what was approved since the last time."""
        kept = self._kept()
        if approved is not None:
            kept[_APPROVED] = approved.model_dump(mode="json")
        self._keep({name: value for name, value in kept.items() if name != _OPEN})

    def collect(self) -> None:
        """Leave the worker for a moment if an earlier attempt has left a question open.

        Its answer comes back, or that it is closed without one.
        """
        asked = self._kept().get(_OPEN)
        if not isinstance(asked, Mapping) or _awaiting() is None:
            return
        log.warning(
            "An earlier attempt has left its question open. It is closed now; if somebody has answered it, that counts."
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
            question: what is asked.
            asked: see `task.pilot.approval.Asked`.
            memo: what is needed to go on, but not by another attempt.
            defer: Airflow's own, for where a task that waits for a person is deferred.

        Raises:
            ApprovalOutdated: people would see an earlier question, for less or to others; Airflow does not retry.
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
        """Open the question, and return the option that approves on the page that people see."""
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
            f"{question.subject} cannot be asked: this Airflow shows the first question of a task again, which was "
            f"{options[0]!r}{who}, and an answer to that is none to this. The pilot's answers are kept; the other "
            "requests were not asked. Airflow does not retry the task. Ask in a new run of the DAG, or raise "
            "approve_above if you approve it, and clear the task."
        )
        raise for_good(ApprovalOutdated(msg, job_names=()))

    def _park(self, asked: Mapping[str, Any], timeout: timedelta | None) -> NoReturn:
        awaiting = _awaiting()
        assert awaiting is not None  # noqa: S101 - else it is not called
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
    """Return the exception by which a task waits for a person (3.3 and later); None: there is none."""
    try:
        from airflow.sdk.exceptions import TaskAwaitingInput
    except ImportError:
        return None
    return TaskAwaitingInput


def _defaults(question: Question) -> list[str]:
    """Return what counts without an answer; where one is waited for without end, it is what closes the question."""
    return [question.on_timeout]


def _ids(users: Sequence[Any]) -> list[str]:
    return sorted(str(user["id"] if isinstance(user, Mapping) else user.id) for user in users)
