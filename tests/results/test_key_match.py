"""Which request a row answers: bits, keys in a table, and what keys add up to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_genai_batch.results.keys.bitset import Bitset
from airflow_provider_genai_batch.results.keys.key_match import (
    DUPLICATE,
    UNKNOWN,
    KeyMatcher,
    KeySumMatcher,
    KnownKeyMatcher,
    StampedKeyMatcher,
)
from airflow_provider_genai_batch.results.keys.key_set import KeyPlaces, KeySet
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp, stamped_index

KEYS = (
    st.text(min_size=1, max_size=4)
    | st.integers(0, 40).map(stamp)
    | st.sampled_from(["r99999999999", "\ud800"])
)


@settings(deadline=None)
@given(st.lists(st.integers(0, 300) | st.integers(32_700, 32_800)))
def test_a_bitset_is_a_set_of_numbers(numbers: list[int]) -> None:
    bits, seen = Bitset(), set[int]()
    for number in numbers:
        assert bits.add(number) is (number not in seen)
        seen.add(number)
    assert len(bits) == len(seen)
    end = max(seen, default=0) + 20
    assert (
        list(bits.unset_below(end))
        == [n for n in range(end) if n not in seen]
        == [n for n in range(end) if n not in bits]
    )


def test_a_copy_of_a_bitset_stays_as_it_was() -> None:
    bits = Bitset(room=8)
    before = bits.copy()
    bits.add(3)
    assert 3 not in before


@settings(deadline=None)
@given(st.lists(KEYS))
def test_a_key_set_is_a_set_of_keys(keys: list[str]) -> None:
    mine, seen = KeySet(), set[str]()
    for key in keys:
        assert (key in mine) is (key in seen)
        assert mine.add(key) is (key not in seen)
        seen.add(key)
        assert key in mine
    assert len(mine) == len(seen)


@settings(deadline=None)
@given(st.lists(KEYS, unique=True))
def test_keys_have_their_places_both_ways(keys: list[str]) -> None:
    places = KeyPlaces(iter(keys))
    assert places.count == len(keys)
    assert [places.get(key) for key in keys] == list(range(len(keys)))
    assert [places.key(place) for place in range(len(keys))] == keys
    assert places.get("nobody's") is None


def test_a_table_larger_than_its_cache_is_as_good() -> None:
    keys = [f"customer {number} {'x' * 200}" for number in range(40_000)]
    places, mine = KeyPlaces(keys), KeySet()
    assert all(mine.add(key) for key in keys)
    assert not any(mine.add(key) for key in keys[::997])
    assert [places.get(key) for key in keys[::997]] == list(range(0, 40_000, 997))


# ------------------------------------------------------------ rolls agree

ASKED = [stamp(index) for index in range(6)]
MATCHERS: dict[str, Callable[[], KeyMatcher]] = {
    "stamped": lambda: StampedKeyMatcher(len(ASKED)),
    "known": lambda: KnownKeyMatcher(ASKED),
}
ROUNDS = st.lists(st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=8), min_size=1, max_size=3)


def _called(matcher: KeyMatcher, rounds: list[list[tuple[int, bool]]]) -> list[Any]:
    said = []
    for number in reversed(range(len(rounds))):
        matcher.begin(number)
        for index, good in rounds[number]:
            key = stamp(index)
            place = matcher.match(key, stamped_index(key))
            said.append(place)
            if place > DUPLICATE and not good:
                matcher.failed(key, place)
    return said


@settings(deadline=None)
@given(ROUNDS)
def test_stamps_and_known_keys_tell_the_same(rounds: list[list[tuple[int, bool]]]) -> None:
    one, two = StampedKeyMatcher(len(ASKED)), KnownKeyMatcher(ASKED)
    assert _called(one, rounds) == _called(two, rounds)
    assert one.joined == two.joined
    assert list(one.missing()) == list(two.missing())
    for index, key in enumerate(ASKED):
        assert one.unanswered(key, index) is two.unanswered(key, index)


@settings(deadline=None)
@given(ROUNDS)
def test_the_first_row_of_the_last_round_decides(rounds: list[list[tuple[int, bool]]]) -> None:
    final: dict[int, bool] = {}
    for rows in rounds:
        final |= dict(reversed(rows))
    for begin in (*MATCHERS.values(), lambda: KeySumMatcher(None, None)):
        matcher = begin()
        _called(matcher, rounds)
        for index, key in enumerate(ASKED):
            assert matcher.unanswered(key, index) is not final.get(index, False)


@settings(deadline=None)
@given(ROUNDS)
def test_sums_are_sure_only_of_what_remembering_keys_would_tell_too(
    rounds: list[list[tuple[int, bool]]],
) -> None:
    matcher = KeySumMatcher(len(ASKED), sum(map(key_digest, ASKED)) & MASK)
    said = _called(matcher, rounds)
    exact = KnownKeyMatcher(ASKED)
    told = _called(exact, rounds)
    all_once = set(told).isdisjoint({UNKNOWN, DUPLICATE}) and exact.joined == len(ASKED)
    if matcher.sure:
        assert exact.joined == len(ASKED)
        assert UNKNOWN not in told
        assert [s < 0 and s != -1 for s in said] == [t < 0 for t in told]
        for index, key in enumerate(ASKED):
            assert matcher.unanswered(key, index) is exact.unanswered(key, index)
    else:
        assert not all_once


@pytest.mark.parametrize("begin", MATCHERS.values(), ids=MATCHERS)
def test_an_index_beyond_the_requests_is_unknown(begin: Callable[[], KeyMatcher]) -> None:
    matcher = begin()
    assert [matcher.match(stamp(6), 6), matcher.match("nobody's", None)] == [UNKNOWN, UNKNOWN]
    assert matcher.unanswered(stamp(0), 0)
