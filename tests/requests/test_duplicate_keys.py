from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.requests.duplicate_keys import DuplicateKeyFinder
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp


@given(st.lists(st.text(max_size=3)))
def test_the_first_key_that_is_there_twice_is_found_with_both_lines(keys: list[str]) -> None:
    ledger = DuplicateKeyFinder()
    for line, key in enumerate(keys, 1):
        assert ledger.add(key, line) is None
    seen: dict[str, int] = {}
    expected = None
    for line, key in enumerate(keys, 1):
        if key in seen:
            expected = (seen[key], line)
            break
        seen[key] = line
    assert ledger.twice() == expected


def test_in_a_large_file_it_is_found_long_before_the_end() -> None:
    ledger = DuplicateKeyFinder()
    found = None
    for line in range(1, 50_000):
        found = ledger.add("same" if line in {10, 20} else f"row-{line}", line)
        if found:
            break
    assert found == (10, 20)
    assert line < 5000


def own(begin: int, end: int) -> list[str]:
    return [f"row-{number}" for number in range(begin, end)]


def test_of_more_keys_than_are_held_in_memory_the_two_that_are_the_same_are_found() -> None:
    finder, rows = DuplicateKeyFinder(), 700_000
    for begin in range(0, rows, 1000):
        assert finder.add_all(own(begin, begin + 1000), begin + 1) is None
    assert finder.twice() is None
    assert finder.add("row-699999", rows + 1) is None
    assert finder.add("row-5", rows + 2) is None
    assert finder.twice() == (rows, rows + 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["stamp", "own", "stamp of another"]), st.integers(1, 3), st.integers(0, 2))
    )
)
def test_stamps_of_their_places_are_told_from_other_keys_and_count_like_them(
    kinds: list[tuple[str, int, int]],
) -> None:
    finder, keys, lines, line = DuplicateKeyFinder(), list[str](), list[int](), 1
    for kind, number, blank in kinds:
        line += blank
        place = len(keys)
        some = {
            "stamp": [stamp(place + n) for n in range(number)],
            "own": own(place, place + number),
            "stamp of another": [stamp(max(0, place - 2) + 7 * n) for n in range(number)],
        }[kind]
        if kind == "stamp" and blank:
            finder.add_stamps(number, line)
        else:
            finder.add_all(some, line)
        keys += some
        lines += range(line, line + number)
        line += number
    first = {key: at for at, key in reversed([*enumerate(keys)])}
    again = next((at for at, key in enumerate(keys) if first[key] != at), None)
    assert finder.twice() == (None if again is None else (lines[first[keys[again]]], lines[again]))
    assert finder.key_sum == sum(map(key_digest, keys)) & MASK
    in_place = sum(key == stamp(place) for place, key in enumerate(keys))
    assert finder.stamped <= in_place
    assert (finder.stamped == len(keys)) == (in_place == len(keys))
    assert (finder.facts()["key_sum"] is None) == (finder.stamped == len(keys))
