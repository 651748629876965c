"""The range of a forecast holds the bill nine times of ten, over draws that are the same in each run of the tests."""

from __future__ import annotations

import pytest

from tests.docs.pages import Page
from tests.forecasts.draws import draws
from tests.forecasts.workloads import WORKLOADS

PAGE = Page("docs/reference/forecasts.md")


def test_the_range_holds_the_bill_nine_times_of_ten() -> None:
    found = [one for kind in WORKLOADS for one in draws(kind, range(10_000, 10_015), 2000, 200)]
    assert sum(one.held for one in found) >= 0.9 * len(found)
    off = sorted(abs(one.off) for one in found)
    assert off[len(off) // 2] < 0.1
    assert min(one.width for one in found) > 0


@pytest.mark.parametrize("kind", ["thoughts", "a long tail"])
def test_a_pilot_of_as_many_rows_as_are_said_to_be_enough_is_off_by_a_tenth_at_most(kind: str) -> None:
    said = sorted(one.enough or 200 for one in draws(kind, range(20_000, 20_015), 4000, 200))
    enough = said[len(said) // 2]
    assert 400 < enough < 4000
    found = draws(kind, range(30_000, 30_015), 4000, enough)
    assert sum(abs(one.off) <= 0.1 for one in found) >= 0.9 * len(found)
    assert all(one.width < 0.3 for one in found)
    assert all(one.enough is None for one in draws("labels by a schema", range(3), 4000, 200))


def test_the_page_has_every_workload_and_says_that_ranges_hold() -> None:
    rows = PAGE.table("# Forecasts", "Workload")
    assert {row[0] for row in rows} == {*WORKLOADS}
    assert all(float(row[5].rstrip("%")) >= 90 for row in rows if int(row[1]) >= 200)
