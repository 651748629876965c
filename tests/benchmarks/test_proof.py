"""A job that did not go well: what the landing counts is what is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.proof import ABSENT, TWICE, prove

ROWS = 20_000


@pytest.mark.parametrize(
    ("own", "ordered"), [(False, False), (True, True)], ids=["stamps", "own keys, ordered"]
)
def test_what_was_counted_is_what_landed(tmp_path: Path, *, own: bool, ordered: bool) -> None:
    found = prove(ROWS, tmp_path, own=own, ordered=ordered)
    told, counted = found["told"], found["counted"]
    assert (told["missing"], told["duplicates"], told["unknown"]) == (ABSENT, TWICE, 0)
    assert told["total"] == counted["total"] == counted["keys"] == ROWS
    assert {name: told[name] for name in ("ok", "error", "missing")} == {
        name: counted[name] for name in ("ok", "error", "missing")
    }
    assert told["again"] == told["error"] + told["missing"] > ROWS * 0.008
