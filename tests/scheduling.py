"""Which process of pytest-xdist runs which tests: a file's are together, and so are those of files that share much."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.airflow_stack.shared import SHARING


class Scheduling(LoadFileScheduling):
    """`--dist loadfile`, except that the files of `SHARING` count as one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "one Airflow" if file in SHARING else file


def make(config: pytest.Config, log: object) -> Scheduling | None:
    """Return it for ``--dist loadfile``; for all else pytest-xdist has its own."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None
