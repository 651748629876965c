"""Whether a job with a deadline is worth creating, by how long the task's last jobs took."""

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
"""Number of last jobs to judge by."""
_LATELY = 7 * 24 * 3600
"""Seconds. Older times no longer count, so a job is tried again if none has been created for that long."""
_LIKELY = 0.9
"""Fraction of jobs in time from which on nothing is logged."""


def too_slow(times: Sequence[JobTime], ready: Deadline, now: float) -> str:
    """Return why no job is created: fewer than half of the last ones would have been in time. Empty: create one.

    Applies only if flex is tried first: it costs as much as a job, and gets more time this way. Standard costs more, so
    a job with any chance is tried.

    Args:
        times: times of the task's last jobs with this model.
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
        return f"only {said}, which is the time left for one before {moment(until)}"
    log.warning("The job is cancelled at %s if it has not ended by then. Only %s.", moment(until), said)
    return ""
