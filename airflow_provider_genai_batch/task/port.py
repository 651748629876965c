"""The port through which an attempt reaches Airflow: facts about its task instance, and requests to Airflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.flows.record import RoundRecords
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.models import Approved, BatchJob, SqlSource
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation
from airflow_provider_genai_batch.models.settings.question import Question
from airflow_provider_genai_batch.models.settings.ready_by import RunTimes
from airflow_provider_genai_batch.task.inputs.queries.rows import QueryRows
from airflow_provider_genai_batch.task.jobs.patience import Patience
from airflow_provider_genai_batch.task.landing.usage_ledger import UsageLedger


@dataclass(frozen=True)
class Owner:
    """The task instance that jobs belong to, as recorded in the jobs."""

    key: str
    """Identifies the task instance; the same in all its tries."""
    readable_name: str
    """The readable part of a job's display name."""
    labels: Mapping[str, str]
    """Labels for DAG, task and run."""
    run_begin: float | None
    """A moment before which no task of this run can have begun, in seconds since the epoch; None: unknown."""
    times: RunTimes = field(default_factory=RunTimes)
    """Times of the DAG run that no retry changes."""
    first_try: int = 1
    """The number of the first try, or of the first try after the task instance was last cleared."""
    dag_id: str = ""
    """Airflow's id of its DAG."""


class TaskPort(Protocol):
    """A running task instance.

    Attributes:
        waiting_for: the jobs to cancel if somebody kills the task now; the attempt keeps this up to date.
        appear_until: by when the service must know the newest of them by name, in seconds since the epoch.
    """

    waiting_for: list[str]
    appear_until: float

    @property
    def owner(self) -> Owner:
        """The task instance as owner of jobs."""
        ...

    @property
    def killed(self) -> bool:
        """Whether somebody killed the task while it ran."""
        ...

    @property
    def is_first_try(self) -> bool:
        """Whether Airflow has never run the task instance before."""
        ...

    def open_query(self, query: SqlSource) -> AbstractContextManager[QueryRows]:
        """Run a query; its rows can be read until the block ends.

        Raises:
            ConfigurationError: there is no such connection, or it is not a database's.
            InputError: the database refuses the query, or cannot be reached.
        """
        ...

    def open_client(self, conn_id: str) -> AbstractContextManager[GenAIBatchClient]:
        """Open a client of a connection that an earlier attempt of the task used.

        Raises:
            ConfigurationError: the connection no longer exists, or cannot be used.
        """
        ...

    def turn_to(self, conn_id: str, config: ClientConfig) -> None:
        """From now on, wait for jobs and cancel them through another connection."""
        ...

    def records(self, round_: int) -> RoundRecords:
        """Return the records of a round's jobs."""
        ...

    def earlier_manifest(self) -> Mapping[str, Any] | None:
        """Return the manifest of the task's latest earlier run that has one."""
        ...

    def metrics(self, ledger: UsageLedger) -> AbstractContextManager[None]:
        """Report at the end of the block, unless it ends in a deferral, what was settled in it."""
        ...

    def show_links(self, jobs: Sequence[BatchJob], project: str | None) -> None:
        """Show links to submitted jobs."""
        ...

    def check_mapped_results(self) -> None:
        """Warn if all tasks of a mapped task land their rows at one address."""
        ...

    def stop_if_over(self, said: str = "") -> None:
        """End the attempt with one of Airflow's exceptions if its time is over.

        Args:
            said: what happened to its requests; empty: the attempt was paused and made no calls meanwhile.
        """
        ...

    def cancel_unwanted(self) -> Mapping[str, Cancellation]:
        """Cancel the jobs in `waiting_for` if Airflow no longer runs the task; return nothing if it does."""
        ...

    def defer_until_ended(self, names: Sequence[str], plan: WaitPlan, memo: Mapping[str, Any]) -> NoReturn:
        """Defer until jobs have ended; `memo` comes back in the event."""
        ...

    def defer_until(self, moment: float, memo: Mapping[str, Any]) -> NoReturn:
        """Defer until a moment, in seconds since the epoch; the event is `memo`."""
        ...

    def late_rows(self, event: Mapping[str, Any]) -> Patience | None:
        """Return how to wait for late rows without a slot; None: in place. The event comes back afterwards."""
        ...

    def approved(self) -> Approved | None:
        """Return what a person approved in an earlier attempt; None: nothing, or unknown."""
        ...

    def ask(self, question: Question, asked: Mapping[str, Any]) -> NoReturn:
        """Defer until a person has answered; `asked` comes back with the answer.

        Raises:
            ApprovalOutdated: Airflow would show an earlier question about a smaller amount.
        """
        ...

    def close_question(self, approved: Approved | None) -> None:
        """Record that the question is answered, and what was approved; None: nothing."""
        ...
