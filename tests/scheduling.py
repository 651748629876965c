"""Which process of pytest-xdist runs which tests: a file's are together, and so are those of files that share much."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.shared_airflow.groups import GROUPS


class Scheduling(LoadFileScheduling):
    """`--dist loadfile`, except that the files that share an Airflow count as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return GROUPS.get(file, file)


def make(config: pytest.Config, log: object) -> Scheduling | None:
    """Return it for ``--dist loadfile``; for all else pytest-xdist has its own."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None
