"""What is said of files of tests is true of the files that are there."""

from __future__ import annotations

from itertools import chain, groupby
from pathlib import Path

from tests.scheduling import Scheduling
from tests.shared_airflow.groups import GROUPS, QUEUES

ROOT = Path(__file__).parents[1]
QUEUED = [*chain(*QUEUES)]


def test_each_file_that_starts_an_airflow_stands_in_one_queue() -> None:
    marked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if "pytest.mark.stack" in path.read_text() and path != Path(__file__)
    }
    assert {*QUEUED} == marked
    assert len(QUEUED) == len({*QUEUED})


def test_a_process_runs_a_whole_queue_and_starts_each_shared_airflow_once() -> None:
    scope = Scheduling._split_scope
    for queue in QUEUES:
        assert len({scope(object.__new__(Scheduling), f"{file}::test") for file in queue}) == 1
        shared = [group for group, _ in groupby(map(GROUPS.get, queue)) if group]
        assert len(shared) == len({*shared})
    apart = {queue[0] for queue in QUEUES}
    assert len(apart) == len(QUEUES)
    assert not {GROUPS[file] for file in QUEUED if file in GROUPS} & {
        group for file, group in GROUPS.items() if file not in QUEUED
    }
