"""State of an attempt that must survive its deferrals: Airflow forgets when the attempt began, and what it did."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import ApprovalOutdated

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

    from airflow_provider_genai_batch.flows.watch import Ending

    _Base = BaseOperator
else:
    _Base = object

ATTEMPT_OVER = "attempt_over"
"""A key in an event: the trigger fired because the attempt's time is over."""
_CARRIED = "carried"
_PAUSED = (
    "The task ran out of Airflow's time while the service had no capacity for its job, or its input could not be read. "
    "No job was created meanwhile. Its running jobs are cancelled with it if it has cancel_on_kill. The "
    "next attempt keeps their rows and submits the other requests."
)
_ANSWERED = (
    "A person answered a question of an earlier attempt while this one waited for the service. Airflow has ended the "
    "wait, which may have cancelled running jobs (cancel_on_kill). The answer approved nothing. The "
    "next attempt keeps the rows of the jobs and submits the missing requests."
)


class KeepsOverDeferrals(_Base):
    """Base of operators that defer with triggers of this package. It must come before Airflow's base.

    `execution_timeout` limits the whole attempt. Airflow 3 starts it again in each process of a deferred task, and does
    not measure it while the task is deferred. Moments are those of the service's clock, which all workers and
    triggerers share.
    """

    execution_timeout: timedelta | None
    _service_time: Callable[[], float] = staticmethod(clock.time)
    _started: float | None = None
    _begun: float | None = None
    _over = False

    def begin(self) -> float:
        """Note that the attempt begins, before the service's clock is known; return the monotonic time in seconds."""
        self._started, self._begun, self._over = clock.monotonic(), None, False
        return self._started

    @property
    def begun(self) -> float:
        """When the attempt began, in seconds since the epoch."""
        if self._begun is None:
            started = clock.monotonic() if self._started is None else self._started
            self._begun = self._service_time() - (clock.monotonic() - started)
        return self._begun

    def carried(self) -> dict[str, Any]:
        """Return the state that is kept, as JSON."""
        return {"begun": self.begun}

    def take_back(self, carried: Mapping[str, Any]) -> None:
        """Restore the kept state, which any version of this package may have written.

        Without a kept time, the attempt begins now.
        """
        self.begin()
        begun = carried.get("begun")
        self._begun = begun if isinstance(begun, (int, float)) else None

    @property
    def ends_at(self) -> float | None:
        """When Airflow's limit for this attempt ends; None: there is no limit."""
        limit = self.execution_timeout
        return None if limit is None else self.begun + limit.total_seconds()

    @property
    def seconds_left(self) -> float:
        """The seconds left of the attempt's time."""
        if self._over:
            return 0.0
        return math.inf if self.ends_at is None else self.ends_at - self._service_time()

    @property
    def ran(self) -> float:
        """The seconds that the attempt has run or waited for the service."""
        return self._service_time() - self.begun

    def resumes_after_people(self, ran: Any) -> None:
        """Continue after a person was asked. As in Airflow, the wait for a person does not count."""
        seconds = ran if isinstance(ran, (int, float)) else 0.0
        self.take_back({"begun": clock.time() - seconds})

    def stop_if_over(self, said: str = "") -> None:
        """End the attempt if its time is over.

        Args:
            said: the error message; empty: the attempt was paused, and did not call the service.

        Raises:
            AirflowTaskTimeout: it is over.
        """
        if self.seconds_left <= 0:
            self.out_of_time(said or _PAUSED)

    def out_of_time(self, said: str) -> NoReturn:
        """End the attempt in the way in which Airflow ends one that waits in place.

        Raises:
            AirflowTaskTimeout: always; Airflow then calls ``on_kill``.
        """
        raise AirflowTaskTimeout(said)

    def defer(self, *, trigger: Any, method_name: str, **how: Any) -> NoReturn:
        """Defer with a trigger of this package, which observes the attempt's limit and brings back the kept state."""
        trigger.memo = {**(trigger.memo or {}), _CARRIED: self.carried()}
        if self.ends_at is not None:
            trigger.end_at(self.ends_at, self.seconds_left)
        super().defer(trigger=trigger, method_name=method_name, **how)

    def resumes(self, event: Mapping[str, Any]) -> Ending:
        """Continue after a deferral.

        Args:
            event: the event of the trigger.

        Returns:
            How the wait ended, if the event says so.

        Raises:
            AirflowTaskTimeout: the attempt's time is over.
            ApprovalOutdated: the event is a person's answer to an outdated question.
        """
        from airflow_provider_genai_batch.flows.outcome.messages import timed_out
        from airflow_provider_genai_batch.flows.watch import Ending

        if "chosen_options" in event:
            raise ApprovalOutdated(_ANSWERED, job_names=())
        memo = event.get("memo")
        kept = event.get(_CARRIED) or (memo.get(_CARRIED) if isinstance(memo, Mapping) else None)
        self.take_back(kept if isinstance(kept, Mapping) else {})
        self._over = event.get(ATTEMPT_OVER) is True
        ending = Ending.from_dict(event)
        if ending.out_of_time:
            self.out_of_time(timed_out(ending, event.get("job_names") or [*ending.states]))
        return ending
