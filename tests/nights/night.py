"""One task instance over all its attempts and deferrals, as Airflow would run it, without Airflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.watch import Ending, WaitPlan
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.models.settings.ready_by import RunTimes
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
from airflow_provider_genai_batch.task.port import Owner
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from tests.task.test_attempt import Deferred, PlainTask


class KilledError(BaseException):
    """The worker has died: nothing of the process is left, and nothing of it was cleaned up."""


@dataclass
class Night:
    """A task instance.

    Attributes:
        settings: of its operator.
        open_client: opens a client, as each process of the task does.
        run: names the run, of which its jobs have their names.
        times: of the run.
        begin: number of the first attempt; 0: there was none before it.
        retries: attempts after that.
        delay: seconds between two attempts.
        open_other: opens a client of another connection, by its name.
        earlier: the manifest of the last run that left one.
        owner: the task instance; None: it is made of `run` and `times`.
        errors: what attempts raised.
        deferrals: how often it left its worker.
    """

    settings: Mapping[str, Any]
    open_client: Callable[[], AbstractContextManager[GenAIBatchClient]]
    run: str = "tonight"
    times: RunTimes = field(default_factory=RunTimes)
    begin: int = 0
    retries: int = 0
    delay: float = 60.0
    open_other: Callable[[str], AbstractContextManager[GenAIBatchClient]] | None = None
    earlier: Mapping[str, Any] | None = None
    owner: Owner | None = None
    errors: list[BaseException] = field(default_factory=list)
    deferrals: int = 0
    kept: dict[Any, Any] = field(default_factory=dict)

    def go(self) -> dict[str, Any] | None:
        """Run attempts until one succeeds; return its manifest, None if none did."""
        for attempt in range(self.begin, self.begin + self.retries + 1):
            if attempt > self.begin:
                clock.sleep(self.delay)
            try:
                return self._attempt(attempt)
            except (GenAIBatchError, KilledError) as error:
                self.errors.append(error)
        return None

    def _attempt(self, number: int) -> dict[str, Any]:
        step = self._begun(number)
        while True:
            with self.open_client() as client:
                key = task_key("etl", "ask", self.run, -1, None)
                task = PlainTask(
                    is_first_try=number == 0,
                    owner=self.owner or Owner(key, "etl.ask", {}, None, self.times),
                    kept=self.kept,
                    open_other=self.open_other,
                    earlier=self.earlier,
                )
                try:
                    return step(TaskAttempt(RunSettings(**self.settings), task, client))
                except Deferred as left:
                    self.deferrals += 1
                    elsewhere = self.open_other is not None and task.conn_id not in (
                        "",
                        self.settings["conn_id"],
                    )
                    with self.open_other(task.conn_id) if elsewhere else nullcontext(client) as its:  # type: ignore[misc]
                        step = self._resumed(left, its)

    def _begun(self, number: int) -> Callable[[TaskAttempt], dict[str, Any]]:
        first = Attempt(look_first=number > 0, reattach=self.settings.get("reattach", True))
        return lambda attempt: attempt.run(first)

    @staticmethod
    def _resumed(left: Deferred, client: GenAIBatchClient) -> Callable[[TaskAttempt], dict[str, Any]]:
        """Do what the trigger does, and return what goes on after it."""
        if not isinstance(left.until, WaitPlan):
            clock.sleep(max(0.0, left.until - clock.time()))
            return lambda attempt: attempt.resume(left.memo)
        plan = WaitPlan.from_dict(left.until.as_dict())
        ending: Ending = JobWatcher(client, lambda _conn_id: nullcontext(client)).wait(left.names, plan)
        event = {**ending.as_dict(), "job_names": left.names, "memo": left.memo}
        return lambda attempt: attempt.complete(event)
