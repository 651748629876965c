"""A job that did not go well, and the rows that were asked again: the manifest says what is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.proof import ABSENT, TWICE, prove
from tests.benchmarks.proof_section import large, section

ROWS = 20_000


@pytest.mark.parametrize(
    ("own", "ordered", "number"),
    [(False, False, 1), (True, True, 5)],
    ids=["stamps, one job", "own keys, ordered, five jobs"],
)
def test_what_the_manifest_says_is_what_landed(
    tmp_path: Path, *, own: bool, ordered: bool, number: int
) -> None:
    said = prove(ROWS, tmp_path, own=own, ordered=ordered, number=number)
    manifest, counted = said["manifest"], said["counted"]
    counts, (*first, second) = manifest["counts"], said["jobs"]
    assert first == [ROWS // number] * number
    assert counts["total"] == counted["total"] == counted["keys"] == ROWS
    assert (counts["ok"], counts["error"], counts["missing"]) == (counted["ok"], counted["error"], 0)
    assert ROWS * 0.005 < second == counted["again"] < ROWS * 0.015
    assert 0 < counts["error"] < second / 2
    assert manifest["usage"]["total"] == counted["tokens"] > 0
    assert manifest["rounds"] == 2
    assert len(manifest["job_names"]) == number + 1
    for times, what in (
        (TWICE, "rows dropped because the key came before"),
        (ABSENT, "requests without a row"),
    ):
        assert any(told.startswith(f"{times} {what}") for told in said["warnings"]), said["warnings"]
    text = section(said, "a machine") if number == 1 else large(said, "a machine")
    assert f"{counted['ok']:,}" in text
    assert {"genai_batch.submit", "genai_batch.land", "all"} <= set(said["phases"])
