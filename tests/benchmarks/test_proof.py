"""A job that did not go well, and the rows that were asked again: the manifest says what is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.proof import ABSENT, TWICE, prove
from tests.benchmarks.proof_section import section

ROWS = 20_000


@pytest.mark.parametrize(
    ("own", "ordered"), [(False, False), (True, True)], ids=["stamps", "own keys, ordered"]
)
def test_what_the_manifest_says_is_what_landed(tmp_path: Path, *, own: bool, ordered: bool) -> None:
    said = prove(ROWS, tmp_path, own=own, ordered=ordered)
    manifest, counted = said["manifest"], said["counted"]
    counts, (first, second) = manifest["counts"], said["jobs"]
    assert counts["total"] == counted["total"] == counted["keys"] == first == ROWS
    assert (counts["ok"], counts["error"], counts["missing"]) == (counted["ok"], counted["error"], 0)
    assert ROWS * 0.005 < second == counted["again"] < ROWS * 0.015
    assert 0 < counts["error"] < second / 2
    assert manifest["usage"]["total"] == counted["tokens"] > 0
    assert manifest["rounds"] == len(manifest["job_names"]) == 2
    for number, what in ((TWICE, "rows had a key that came before"), (ABSENT, "requests have no row")):
        assert any(told.startswith(f"{number} {what}") for told in said["warnings"]), said["warnings"]
    assert f"{counted['ok']:,}" in section(said, "a machine")
