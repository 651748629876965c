"""Spells what was measured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import astuple

from tests.benchmarks.page import table
from tests.scale_out.runs import Result

HEADING = "Measured on Celery"
SETTINGS = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": ("8", "300"),
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": ("15", "86400"),
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": ("4", "30"),
}
"""Variables that decide how soon a loss is noticed: here, and by default."""
_SETTING = ("Setting", "Here", "By default")
_EVENT = ("What happened", "What it met", "And then", "Seconds")
_RUN = ("DAG run", "Ended", "Tasks", "Attempts", "Jobs", "Create calls", "Rows", "Different rows")


def section(
    results: Iterable[Result], events: Iterable[tuple[str, ...]], figures: Mapping[str, float]
) -> str:
    """Write what stands below the heading."""
    settings = [(_setting(name), *values) for name, values in SETTINGS.items()]
    runs = [(f"`{one.dag_id}`", *astuple(one)[1:]) for one in results]
    tables = [
        table(_SETTING, settings),
        table(_EVENT, events).replace("---: |", "--- |", 2),
        table(_RUN, runs),
    ]
    return "\n".join([_BEGIN.format(cores=os.cpu_count(), **figures), *tables])


def _setting(variable: str) -> str:
    """Spell a variable as Airflow's reference does."""
    _, part, option = variable.lower().split("__")
    return f"`[{part}] {option}`"


_BEGIN = """\
`make scale-out` runs an Airflow 3.3 on one machine of {cores} cores: CeleryExecutor on Redis, PostgreSQL, two workers
of two slots, two triggerers, and the emulator. It runs the [examples](../examples.md), a task of twelve instances that
are deferred, and one that waits in place and asks a failed row again in a second round, which is a second job. A worker
and a triggerer die by SIGKILL, all their processes at once. It fails unless each run succeeds with one create call for
each task instance and round, nothing is cancelled, and each row is there once.

It was healthy after {healthy:.0f} s and took {minutes:.1f} minutes in all, and at its peak {megabytes:,.0f} MB in
{processes:.0f} processes, those of the emulators, PostgreSQL and Redis among them. The seconds below follow from
settings that are small here:
"""
