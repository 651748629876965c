"""Whether a job is worth its creation, where its rows have a deadline: by how long the task's last jobs took."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from airflow_provider_genai_batch.clock import in_words
from airflow_provider_genai_batch.flows.deadline import Deadline
from airflow_provider_genai_batch.flows.queue import share_within
from airflow_provider_genai_batch.models.manifest.queue import JobTime
from airflow_provider_genai_batch.task.ready.past import moment

log = logging.getLogger(__name__)

_ENOUGH = 5
"""Jobs that tell."""
_LATELY = 7 * 24 * 3600
"""Seconds. Times that are older count no more, so a job is tried again where none has been created for so long."""
_LIKELY = 0.9
"""Share of jobs in time from which on nothing is said."""


def too_slow(times: Sequence[JobTime], ready: Deadline, now: float) -> str:
    """Tell why no job is created, empty if one is: fewer than half of the last ones would have been in time.

    Only where flex is asked first: it costs what a job does, and has all the more time then. Standard costs more, so a
    job that has a chance is tried.

    Args:
        times: of the task's last jobs of the model.
        ready: the deadline.
        now: seconds since the epoch by the service's clock.
    """
    until = ready.switch(ready.requests)
    lately = [one for one in times if one.created > now - _LATELY]
    in_time, known = share_within(lately, until - now)
    if known < _ENOUGH or in_time >= _LIKELY * known:
        return ""
    said = f"{in_time} of the last {known} jobs of this task ended within {in_words(until - now)}"
    if ready.flex and in_time < known / 2:
        return f"only {said}, the time that there is for one before {moment(until)}"
    log.warning("The job is left at %s if it has not ended by then. Only %s.", moment(until), said)
    return ""
