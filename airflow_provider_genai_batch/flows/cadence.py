"""The pause before the next look at a job."""

from __future__ import annotations

import random

from airflow_provider_genai_batch.flows.progress import Progress

FIRST = 2.0
"""Seconds between looks where something is about to happen."""


def cadence(progress: Progress, *, queued: bool, waited: float, now: float, poll_interval: float) -> float:
    """Return seconds to the next look: sooner at first and around the expected end, never above `poll_interval`.

    A job that waits in the queue is looked at with half the care: what comes next is that it runs, not that it ends.
    So a job of minutes is not noticed a minute late, and one of hours costs no more looks than it has to.

    Args:
        progress: what was seen of the job.
        queued: it does not run yet.
        waited: seconds for which it is waited already.
        now: seconds since the epoch.
        poll_interval: seconds.
    """
    pause = waited / (2 if queued else 4)
    if progress.ends is not None and not queued:
        # Half of what is left, so that the looks close in; once it should have ended, the longer ago the later.
        pause = min(pause, abs(progress.ends - now) / 2)
    return min(poll_interval, max(FIRST, pause))


def spread(pause: float) -> float:
    """Shorten a pause by up to a tenth, so that looks do not meet by accident."""
    return pause * random.uniform(0.9, 1.0)  # noqa: S311 - spreading load, not a secret
