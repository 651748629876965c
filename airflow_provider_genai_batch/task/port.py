"""All that an attempt sees of Airflow: what it has to know of its task instance, and what it asks Airflow to do."""

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
    """The task instance that jobs belong to, as they carry it."""

    key: str
    """The same in all its tries, and no other one's."""
    readable_name: str
    """The part of a job's name that is for people."""
    labels: Mapping[str, str]
    """Of DAG, task and run."""
    run_begin: float | None
    """A moment before which no task of this run can have begun, in seconds since the epoch; None: nobody says."""
    times: RunTimes = field(default_factory=RunTimes)
    """Of the DAG run: those that no retry changes."""
    first_try: int = 1
    """The number of the try with which Airflow began the task instance, or began it anew when it was last cleared."""


class TaskPort(Protocol):
    """A task instance that is running.

    Attributes:
        waiting_for: the jobs that are cancelled if somebody kills the task now; the attempt keeps this up to date.
        appear_until: when the newest of them has to be known by its name, in seconds since the epoch.
    """

    waiting_for: list[str]
    appear_until: float

    @property
    def owner(self) -> Owner:
        """Who it is."""
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
            ConfigurationError: there is no such connection, or it is of no database.
            InputError: the database refuses the query, or cannot be reached.
        """
        ...

    def open_client(self, conn_id: str) -> AbstractContextManager[GenAIBatchClient]:
        """Open a client of a connection that an earlier attempt of the task used.

        Raises:
            ConfigurationError: it does not exist any more, or cannot be used.
        """
        ...

    def turn_to(self, conn_id: str, config: ClientConfig) -> None:
        """Wait for jobs, and cancel them, at another connection from now on."""
        ...

    def records(self, round_: int) -> RoundRecords:
        """Return the records of a round's jobs."""
        ...

    def earlier_manifest(self) -> Mapping[str, Any] | None:
        """Return the manifest of the task's last earlier run that left one."""
        ...

    def metrics(self, ledger: UsageLedger) -> AbstractContextManager[None]:
        """Report at the end of the block what was settled in it, but not at a deferral."""
        ...

    def show_links(self, jobs: Sequence[BatchJob], project: str | None) -> None:
        """Show links to jobs that were submitted."""
        ...

    def check_mapped_results(self) -> None:
        """Warn if all tasks of a mapped task land their rows at one address."""
        ...

    def stop_if_over(self, said: str = "") -> None:
        """End the attempt by an exception of Airflow's if its time is over.

        Args:
            said: what became of it; empty: it paused, and asked nothing of the service meanwhile.
        """
        ...

    def cancel_unwanted(self) -> Mapping[str, Cancellation]:
        """Cancel the jobs in `waiting_for` if Airflow does not run the task any more; empty if it does."""
        ...

    def defer_until_ended(self, names: Sequence[str], plan: WaitPlan, memo: Mapping[str, Any]) -> NoReturn:
        """Leave the worker until jobs have ended; `memo` comes back in the event."""
        ...

    def defer_until(self, moment: float, memo: Mapping[str, Any]) -> NoReturn:
        """Leave the worker until a moment, in seconds since the epoch; the event is `memo`."""
        ...

    def late_rows(self, event: Mapping[str, Any]) -> Patience | None:
        """Return how late rows are waited for without a slot; None: in place. The event comes back after it."""
        ...

    def approved(self) -> Approved | None:
        """Return what a person approved in an earlier attempt; None: nothing, or nobody says."""
        ...

    def ask(self, question: Question, asked: Mapping[str, Any]) -> NoReturn:
        """Leave the worker until a person has answered; `asked` comes back beside the answer.

        Raises:
            ApprovalOutdated: Airflow would show them an earlier question, of less.
        """
        ...

    def close_question(self, approved: Approved | None) -> None:
        """Take note that the question is answered, and what was approved; None: nothing was."""
        ...
