"""The pause before the next look at a job."""

from __future__ import annotations

import random

from airflow_provider_genai_batch.flows.progress import Progress

FIRST = 2.0
"""Seconds between looks where something is about to happen."""


def cadence(progress: Progress, *, queued: bool, waited: float, now: float, poll_interval: float) -> float:
    """Return seconds to the next look: sooner at first and around the expected end, never above `poll_interval`.

    A queued job is looked at half as often, because it will run before it ends. So the end of a job that takes minutes
    is not noticed a minute late, and a job that takes hours costs no more looks than necessary.

    Args:
        progress: progress of the job so far.
        queued: whether the job is still queued.
        waited: seconds of waiting so far.
        now: seconds since the epoch.
        poll_interval: most seconds between two looks.
    """
    pause = waited / (2 if queued else 4)
    if progress.ends is not None and not queued:
        # Half of the remaining time, so that the looks close in; once it is overdue, pauses grow with the delay.
        pause = min(pause, abs(progress.ends - now) / 2)
    return min(poll_interval, max(FIRST, pause))


def spread(pause: float) -> float:
    """Shorten a pause by up to a tenth, so that looks do not coincide by accident."""
    return pause * random.uniform(0.9, 1.0)  # noqa: S311 - spreading load, not a secret
