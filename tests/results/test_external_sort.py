"""Lines in the order of the input, however many and however they come."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.results.external_sort import in_order

PLACED = st.lists(st.tuples(st.none() | st.integers(0, 50), st.binary(max_size=20)))


TIGHT = {"run_bytes": 1000, "fan": 3}
"""Let a few lines be many."""


@settings(deadline=None)
@given(PLACED)
def test_lines_come_by_place_and_those_without_one_come_last_as_they_came(lines: list[Any]) -> None:
    with in_order(iter(lines), **TIGHT) as found:
        expected = sorted(lines, key=lambda one: 1e9 if one[0] is None else one[0])
        assert list(found) == [line for _, line in expected]


def test_pieces_of_pieces_are_merged() -> None:
    places = list(range(500))
    random.Random(1).shuffle(places)
    with in_order(((place, b"%d" % place) for place in places), **TIGHT) as found:
        assert list(found) == [b"%d" % place for place in range(500)]


def test_a_place_that_no_input_has_sorts_all_the_same() -> None:
    with in_order([(10**30, b"far"), (0, b"near"), (None, b"unknown")]) as found:
        assert list(found) == [b"near", b"far", b"unknown"]
