"""Nights with a deadline: all rows in time wherever the standard tier can, none paid twice but what was under way."""

from __future__ import annotations

from tests.nights.report import broken
from tests.nights.runs import nights

NIGHTS = 16


def test_rows_are_ready_in_time_and_nothing_is_paid_twice_but_what_was_under_way() -> None:
    outcomes = [*nights(range(1, NIGHTS + 1))]
    assert not broken(outcomes)
    stuck = [one for one in outcomes if one.draw.kind == "stuck"]
    assert len(stuck) >= NIGHTS / 5
    assert sum(one.deaths for one in outcomes) >= NIGHTS / 10
    assert {tier for one in stuck for tier in one.how.split(" and ")} >= {"flex", "standard"}
