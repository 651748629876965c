"""A task instance in memory, for attempts that need no Airflow. Light to import: some tests start processes with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NoReturn

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.models import Approved, SqlSource
from airflow_provider_genai_batch.models.jobs.cancellation import Cancellation, CancelOutcome
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.models.settings.question import Question
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.inputs.queries.rows import QueryRows
from airflow_provider_genai_batch.task.port import Owner, TaskPort
from airflow_provider_genai_batch.task.settings.settings import RunSettings

MODEL = "gemini-2.5-flash"


class Deferred(Exception):
    """The attempt has left its worker."""

    def __init__(self, names: Sequence[str], memo: Mapping[str, Any], until: WaitPlan | float) -> None:
        super().__init__(names)
        self.names, self.memo, self.until = [*names], memo, until


class Parked(Exception):
    """The attempt has left its worker until a person answers."""

    def __init__(self, question: Question, asked: Mapping[str, Any]) -> None:
        super().__init__(question.subject)
        self.question, self.asked = question, asked


@dataclass
class Keeper:
    """Keeps the record of one job in memory."""

    kept: list[Record]

    def read(self) -> Record | None:
        return self.kept[-1] if self.kept else None

    def read_all(self) -> list[Record]:
        return self.kept

    def write(self, record: Record) -> bool:
        self.kept.append(record)
        return True


@dataclass
class Keepers:
    """Keeps the records of one round's jobs in memory."""

    kept: dict[tuple[int, int], list[Record]]
    round: int

    def expect(self, jobs: int) -> None:
        """Take no note: what is kept here is as many as there are."""

    def at(self, number: int) -> Keeper:
        return Keeper(self.kept.setdefault((self.round, number), []))


@dataclass
class PlainTask:
    """A task instance in memory."""

    is_first_try: bool = True
    killed: bool = False
    waiting_for: list[str] = field(default_factory=list)
    appear_until: float = 0.0
    kept: dict[tuple[int, int], list[Record]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    earlier: Mapping[str, Any] | None = None
    remembered: Approved | None = None
    remembers: bool = True
    """As Airflow 3.3 does."""
    conn_id: str = ""
    open_other: Callable[[str], AbstractContextManager[GenAIBatchClient]] | None = None
    owner: Owner = field(
        default_factory=lambda: Owner(task_key("etl", "ask", "tonight", -1, None), "etl.ask", {}, None)
    )

    def open_client(self, conn_id: str) -> AbstractContextManager[GenAIBatchClient]:
        if self.open_other is None:
            raise ConfigurationError(conn_id)
        return self.open_other(conn_id)

    def turn_to(self, conn_id: str, config: Any) -> None:  # noqa: ARG002 - the name is enough
        self.conn_id = conn_id

    def open_query(self, query: SqlSource) -> AbstractContextManager[QueryRows]:
        from airflow_provider_genai_batch.hooks.queries import open_query

        return open_query(query)

    def records(self, round_: int) -> Keepers:
        return Keepers(self.kept, round_)

    def earlier_manifest(self) -> Mapping[str, Any] | None:
        return self.earlier

    def metrics(self, ledger: Any) -> AbstractContextManager[None]:
        self.ledger = ledger
        return nullcontext()

    def show_links(self, jobs: Any, project: str | None) -> None:
        """Show none."""

    def check_mapped_results(self) -> None:
        """Have nothing to say: this task is not mapped."""

    def stop_if_over(self, said: str = "") -> None:
        """Go on: there is no limit."""

    def cancel_unwanted(self) -> Mapping[str, Cancellation]:
        self.cancelled += self.waiting_for
        return dict.fromkeys(self.waiting_for, Cancellation(CancelOutcome.ASKED))

    def defer_until_ended(self, names: Sequence[str], plan: WaitPlan, memo: Mapping[str, Any]) -> NoReturn:
        raise Deferred(names, memo, plan)

    def defer_until(self, moment: float, memo: Mapping[str, Any]) -> NoReturn:
        raise Deferred(self.waiting_for, memo, moment)

    def approved(self) -> Approved | None:
        return self.remembered

    def ask(self, question: Question, asked: Mapping[str, Any]) -> NoReturn:
        raise Parked(question, asked)

    def close_question(self, approved: Approved | None) -> None:
        if self.remembers:
            self.remembered = approved or self.remembered

    def late_rows(self, event: Mapping[str, Any]) -> None:  # noqa: ARG002 - rows are not late here
        return None


def attempt(task: TaskPort, client: GenAIBatchClient, prompts: Sequence[str], **how: Any) -> TaskAttempt:
    usual = {"model": MODEL, "source": lambda: [*prompts], "poll_interval": 0.05}
    settings = RunSettings(conn_id="any", **{**usual, **how})
    return TaskAttempt(settings, task, client)
