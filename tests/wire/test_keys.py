from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.wire.keys import (
    MAX_KEY_CHARACTERS,
    check_key,
    read_key,
    spell_key,
    stamp,
    stamped_index,
)

KEYS = st.text(min_size=1, max_size=40) | st.from_regex(r"(key=)*[0-9.eE+-]+", fullmatch=True)


@given(KEYS)
def test_a_key_comes_back_as_it_went_to_vertex(key: str) -> None:
    assert read_key(spell_key(key)) == key


@given(KEYS)
def test_a_key_that_vertex_gets_starts_as_text_does(key: str) -> None:
    assert re.match(r"[A-Za-z_]", spell_key(key))


@given(KEYS, KEYS)
def test_two_keys_stay_two_on_vertex(one: str, other: str) -> None:
    assert (spell_key(one) == spell_key(other)) == (one == other)


@pytest.mark.parametrize(
    "key", ["42", "0042", "-1", "1e5", ".5", "2026-01-01", "true", "NaN", " x", "نص", "key=a"]
)
def test_a_key_that_could_be_taken_for_something_else_is_marked(key: str) -> None:
    assert spell_key(key) == f"key={key}"


@pytest.mark.parametrize("key", ["row-1", "r00000042", "a 1", "tested", "_x"])
def test_a_key_that_is_plainly_text_stays(key: str) -> None:
    assert spell_key(key) == key


@given(st.integers(min_value=0, max_value=10**12))
def test_a_stamp_tells_its_index(index: int) -> None:
    assert stamped_index(stamp(index)) == index
    assert spell_key(stamp(index)) == stamp(index)


@given(st.lists(st.integers(min_value=0, max_value=10**8 - 1)))
def test_stamps_sort_as_their_indices(indices: list[int]) -> None:
    assert sorted(map(stamp, indices)) == list(map(stamp, sorted(indices)))


@pytest.mark.parametrize("key", ["r1", "r0000000042", "row-1", "r0000004x", "R00000042", "", "r00000042\n"])
def test_other_keys_are_no_stamps(key: str) -> None:
    assert stamped_index(key) is None


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (42, "key is 42, not a string"),
        (None, "key is None, not a string"),
        ("", "key is empty"),
        ("x" * (MAX_KEY_CHARACTERS + 1), "key has 513 characters, more than 512"),
        ("a\ud800", "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_a_key_is_refused(key: object, said: str) -> None:
    with pytest.raises(RequestError, match=re.escape(said)) as caught:
        check_key(key)
    assert caught.value.remedy
