"""Which process of pytest-xdist runs which tests: a file's are together, and so are those of files that share much."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.shared_airflow.groups import GROUPS, QUEUES


class Scheduling(LoadFileScheduling):
    """`--dist loadfile`, except that the files of a queue, and those that share much, count as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        queue = next((queue for queue in QUEUES if file in queue), None)
        return queue[0] if queue else GROUPS.get(file, file)


def make(config: pytest.Config, log: object) -> Scheduling | None:
    """Return it for ``--dist loadfile``; for all else pytest-xdist has its own."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None
