"""Whatever happens to a task and however the service lies, it pays once, lands what it paid, and says so."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.docs.pages import ROOT
from tests.hostile.history import history
from tests.hostile.report import ROWS, beside, section
from tests.hostile.runs import BROKEN_ONCE

HISTORIES, AT_ONCE = 300, 30
_seen: Counter[str] = Counter()
_run: set[int] = set()


@pytest.mark.parametrize("first", range(0, HISTORIES, AT_ONCE))
def test_no_history_breaks_a_promise(first: int) -> None:
    for number in range(first, first + AT_ONCE):
        with history(number) as one:
            one.run()
            _seen.update(one.world.seen)
            _run.add(number)


def test_no_history_that_broke_a_promise_once_does_so_again() -> None:
    for number in BROKEN_ONCE:
        with history(number) as one:
            one.run()


def test_the_page_says_nothing_that_the_report_did_not_write() -> None:
    page = (ROOT / "docs/reference/crash-matrix.md").read_text()
    told = dict(
        re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", page.partition("## Random histories")[2], re.MULTILINE)
    )
    ran = re.fullmatch(r"([\d,]+)(?:, from number ([\d,]+) on)?(; stopped by hand)?", told["Histories"])
    assert ran is not None
    count, first = (int((text or "0").replace(",", "")) for text in ran.groups()[:2])
    assert told["Histories with a broken promise"] == "0"
    seen = Counter({begins[0]: int(told[title].replace(",", "")) for title, begins in ROWS.items()})
    part = section(range(first, first + count), seen, [], stopped=bool(ran[3]))
    assert beside(page, part) == page


def test_a_history_is_the_same_each_time() -> None:
    diaries = []
    for _ in range(2):
        with history(3) as one:
            one.run()
            diaries.append([line.replace(str(one.folder), "") for line in one.world.diary])
    assert diaries[0] == diaries[1]


@pytest.mark.parametrize(
    "what",
    [
        "dies at",
        "killed at",
        "the triggerer dies",
        "is deferred",
        "one POST makes two jobs",
        "the worker's clock jumps",
        "the input changes",
        "the connection moves",
        "somebody deletes",
        "spoilt: POST",
        "lost: POST",
        "attempt fails: TooManyFailedRows",
        "attempt fails: JobTimedOut",
        "Airflow fails",
    ],
)
def test_the_histories_have_all_that_may_happen(what: str) -> None:
    if len(_run) < HISTORIES:
        pytest.skip("not all histories have run, and come to their end, in this process")
    assert any(one.startswith(what) for one in _seen)
