from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.requests.duplicate_keys import DuplicateKeyFinder


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
