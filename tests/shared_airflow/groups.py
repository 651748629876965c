"""Which files share what, from the first test that asks for it to the last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

import pytest

Shared = TypeVar("Shared")

GROUPS = {
    "tests/adapters/test_real_airflow.py": "unscheduled",
    "tests/airflow_stack/test_after_a_deferral.py": "unscheduled",
    "tests/airflow_stack/test_approval.py": "unscheduled",
    "tests/airflow_stack/test_families.py": "unscheduled",
    "tests/airflow_stack/test_metrics.py": "unscheduled",
    "tests/airflow_stack/test_real_airflow.py": "unscheduled",
    "tests/hourly/test_hourly.py": "unscheduled",
    "tests/pages/test_pages.py": "pages",
    "tests/pages/test_running.py": "pages",
    "tests/airflow_stack/test_job_events.py": "scheduled",
    "tests/airflow_stack/test_lineage.py": "scheduled",
}
"""Which Airflow the tests of a file use; `tests.scheduling` sends those of one to one process."""


def _users(group: str) -> list[str]:
    return [file for file, used in GROUPS.items() if used == group]


QUEUES = (
    (
        "tests/crash/test_crash.py",
        "tests/crash/test_takeovers.py",
        "tests/browser/test_in_the_browser.py",
        "tests/benchmarks/triggerer/test_triggerer.py",
    ),
    (
        *_users("unscheduled"),
        *_users("scheduled"),
        "tests/airflow_stack/test_no_secret_anywhere.py",
    ),
)
"""Files that run one after another, so that two Airflows run at a time at most; other tests fill their waits."""

_running: dict[str, tuple[ExitStack, Any]] = {}


def the_one(group: str, start: Callable[[], AbstractContextManager[Shared]]) -> Shared:
    """Return the Airflow of a group, which the first test that asks for it starts."""
    if group not in _running:
        stack = ExitStack()
        _running[group] = stack, stack.enter_context(start())
    found: Shared = _running[group][1]
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop one after the last test of its files: what waits for nothing takes a tenth of a core all the same."""
    goes_on = nextitem and GROUPS.get(nextitem.nodeid.partition("::")[0])
    for group in [group for group in _running if group != goes_on]:
        stack, _ = _running.pop(group)
        stack.close()
