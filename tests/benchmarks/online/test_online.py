"""The benchmark runs: ours alone, and tiny."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.online.run import run, serving


def test_a_few_rows_tell_their_cost_and_each_has_its_line(tmp_path: Path) -> None:
    with serving() as service:
        figures = run(service, tmp_path, "ours", 300, calls=8)
    assert figures["rows"] == 300
    assert figures["us_per_row"] > 0
    assert (figures["calls"], figures["refused"], figures["failed"]) == (500, 0, 0), "200 of them to warm up"
