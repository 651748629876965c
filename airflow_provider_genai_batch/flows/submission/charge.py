"""What a job may cost that is about to be created, and the limits of the day that it is held to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from airflow_provider_genai_batch.flows.submission.own_jobs import created_at
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.manifest.spent_today import CONNECTION, DAG

_DAY = 86_400


@dataclass(frozen=True)
class DayLimit:
    """The most that jobs may cost that are created in one day (UTC).

    Attributes:
        usd: USD.
        dag: the DAG whose jobs count, see `models.jobs.stated_cost.short_dag`; empty: all jobs of the connection.
    """

    usd: float
    dag: str = ""

    @property
    def of(self) -> str:
        """Whose jobs count, as the manifest says it."""
        return DAG if self.dag else CONNECTION


@dataclass(frozen=True)
class Charge:
    """What a job that is about to be created may cost, and what is known of the task's other jobs.

    Attributes:
        limits: the limits of the day.
        own: USD that the job may cost.
        further: USD that the further jobs of its round may cost.
        display_name: the job's display name, which states `own`.
        requests: number of requests of the round.
        arithmetic: how their cost was calculated.
        became: what a refusal says of the task's jobs and the money.
        created: jobs of the round that this attempt has created, by name, with the USD that each may cost. A list may
            not show them yet.
        covers: tells whether a listed job is counted in `own` or `further`.
        settled: jobs of earlier rounds.
        paid: USD that these have cost; 0: unknown, or nothing.
    """

    limits: tuple[DayLimit, ...]
    own: float
    further: float = 0.0
    display_name: str = ""
    requests: int = 0
    arithmetic: str = ""
    became: str = ""
    created: Mapping[str, float] = field(default_factory=dict)
    covers: Callable[[BatchJob], bool] = lambda _job: False
    settled: Collection[str] = ()
    paid: float = 0.0


def begin_of_day(now: float) -> float:
    """Return when the day (UTC) began, in seconds since the epoch."""
    return now // _DAY * _DAY


def was_before(job: BatchJob, moment: float) -> bool:
    """Whether a job was created before a moment; False if its creation time is unknown."""
    created = created_at(job)
    return created is not None and created < moment
