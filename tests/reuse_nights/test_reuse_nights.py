"""A night pays for what changed, wherever its processes die, and its table is that of asking all anew."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import ROOT
from tests.docs.sections import section
from tests.reuse_nights.nights import broken, run
from tests.reuse_nights.report import TITLE

ROWS = 200
STEPS = 25


def test_a_night_pays_for_what_changed_through_deaths_at_every_step(tmp_path: Path) -> None:
    nights = run(ROWS, tmp_path)
    assert not broken(nights)
    assert len(nights.deaths) == len({*nights.deaths}) > STEPS


def test_the_page_tells_of_a_large_table_and_of_no_broken_promise() -> None:
    told = dict(
        re.findall(
            r"^\| ([^|]+) \| ([^|]+) \|$",
            section((ROOT / "docs/reference/crash-matrix.md").read_text(), TITLE),
            re.MULTILINE,
        )
    )
    assert told["Promises broken"] == "none"
    rows, changed = (int(told[name].replace(",", "")) for name in ("Rows of the table", "Rows that changed"))
    assert rows >= 200_000
    assert int(told["Answers paid by the second night"].replace(",", "")) == changed == rows // 50
