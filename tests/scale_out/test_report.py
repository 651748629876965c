"""What the program of this folder calls well, and what the page says of its settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.page import table
from tests.docs.pages import Page
from tests.scale_out.report import HEADING, SETTINGS, section
from tests.scale_out.runs import Result
from tests.scale_out.scaling import SETTINGS as EXECUTORS
from tests.scale_out.scaling import SMALL_WORKERS, Timed
from tests.scale_out.scaling import section as of_scaling

GOOD = Result("in_place", "success", instances=1, attempts=2, jobs=2, creates=2, rows=5, keys=5)


@pytest.mark.parametrize(
    "change",
    [{"state": "failed"}, {"creates": 3}, {"jobs": 1}, {"rows": 6}, {"rows": 4, "keys": 4}, {"keys": 4}],
)
def test_a_run_that_paid_twice_or_landed_a_row_twice_or_never_is_not_as_planned(change: dict) -> None:
    assert GOOD.good
    assert not replace(GOOD, **change).good


def test_the_page_tells_the_settings_of_the_program() -> None:
    figures = dict.fromkeys(("healthy", "minutes", "megabytes", "processes"), 1.0)
    said = section([GOOD], [("a", "b", "c", "1.0")], figures)
    (settings,) = (part for part in said.split("\n\n") if part.startswith("| Setting"))
    assert len(settings.splitlines()) == len(SETTINGS) + 2
    assert settings in Page("docs/how-to/run-in-production.md").text.partition(f"## {HEADING}")[2]
    assert table(("DAG run",), [("`in_place`",)]).splitlines()[-1].rstrip(" |") in said


def test_the_page_on_groups_says_how_much_faster_four_workers_are() -> None:
    every = EXECUTORS + SMALL_WORKERS
    found = [Timed(one.name, 1.0, 60.0 / one.slots, 2.0, 9.0, 8, 8, 400, "") for one in every]
    said = of_scaling(found, rows=400, parts=8)
    assert "4.0 times as fast with Celery, four workers as with Celery, one worker" in said
    assert "4.0 times as fast with LocalExecutor, four slots as with LocalExecutor, one slot" in said
    assert "4.0 times as fast with Celery, four workers of 0.1 cores as with" in said
    assert len([line for line in said.splitlines() if line.startswith("|")]) == len(every) + 2
    assert "control group" in said
    assert "control group" not in of_scaling(found[: len(EXECUTORS)], rows=400, parts=8)
