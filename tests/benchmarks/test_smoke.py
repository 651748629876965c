"""The benchmark runs: ours alone, and tiny."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.data import KINDS, answers
from tests.benchmarks.runs import Figures, Work, in_pairs, run_decoding, run_ours, run_ours_asking
from tests.benchmarks.server import serving


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_landing_tells_its_cost(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path) as address:
        figures = run_ours(address, tmp_path, kind, 2000)
    assert figures["rows"] == 2000
    assert figures["us_per_row"] > 0
    assert not (tmp_path / "ours.jsonl").exists()


def test_runs_stand_in_pairs_and_their_ratios_have_a_spread(tmp_path: Path) -> None:
    order = []

    def work(name: str, *costs: float) -> Work:
        left = list(costs)

        def run() -> Figures:
            order.append(name)
            return {"us_per_row": left.pop(0)}

        return run

    pairs = in_pairs(work("a", 2, 30, 4), work("b", 1, 10, 1), 3)
    assert order == list("abbaab")
    assert (pairs.one, pairs.other) == ({"us_per_row": 4}, {"us_per_row": 1})
    assert str(pairs) == "**3.0** (2.0 to 4.0)"
    with serving(tmp_path) as address:
        assert run_decoding(address, tmp_path, "plain", 2000)["rows"] == 2000


@pytest.mark.parametrize("form", ["generator", "defaults", "keyless", "csv", "parquet"])
def test_a_small_input_tells_its_cost(tmp_path: Path, form: str) -> None:
    with serving(tmp_path) as address:
        figures = run_ours_asking(address, tmp_path, form, 2000)
    assert figures["rows"] == 2000
    assert figures["us_per_row"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_same_every_time_and_as_long_as_is_said(kind: str) -> None:
    some = list(answers(kind, 200))
    assert some == list(answers(kind, 200))
    assert 400 < sum(map(len, some)) / len(some) < 500
