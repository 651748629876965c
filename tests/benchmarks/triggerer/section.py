"""Spells how many tasks Airflow's own triggerer carries."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.page import table
from tests.benchmarks.triggerer.run import Outcome, carry_jobs, carry_moments

HEADING = "Two thousand tasks in one triggerer"
_INTERVAL, _SPREAD = 10.0, 60.0
_SECONDS_TO_START = 100.0


def measure(tasks: int) -> dict[str, Outcome]:
    """Carry as many tasks that wait for jobs, and as many that wait for moments."""
    with tempfile.TemporaryDirectory(prefix="triggerer-") as folder:
        return {
            "jobs, with `GenAIBatchTrigger`": carry_jobs(Path(folder) / "jobs", tasks, _INTERVAL, _SPREAD),
            "moments, with Airflow's `DateTimeTrigger`": carry_moments(
                Path(folder) / "moments", tasks, _SECONDS_TO_START
            ),
        }


def section(outcomes: dict[str, Outcome]) -> str:
    """Write the section."""
    columns = (
        "Tasks that wait for",
        "Tasks",
        "Went on with the right event",
        "Warnings of a blocked loop",
        "Longest, s",
        "All triggers started after, s",
        "HTTP requests",
        "Connections",
    )
    rows = [
        (
            what,
            f"{one.tasks:,}",
            f"{one.succeeded:,}",
            len(one.blocked),
            f"{max(one.blocked, default=0):.1f}",
            f"{one.loading:.0f}",
            f"{one.requests:,}" if one.requests else "",
            one.connections or "",
        )
        for what, one in outcomes.items()
    ]
    return _TEXT + table(columns, rows)


_TEXT = f"""\
A PostgreSQL metadata database with deferred tasks, and the real `airflow triggerer` with its default settings except
for its capacity. Each task waits for its own job, which is looked at every {_INTERVAL:.0f} seconds. Once all triggers
have started, the jobs end at random times within {_SPREAD:.0f} seconds, and each task has to resume with the event of
its own job. The triggerer warns whenever its event loop was blocked for 0.2 seconds or more. The second line shows how
much of that the triggerer causes itself: it starts 50 triggers at a time, and writes logs to a parent process that is
busy with the database.

"""
