"""Whatever happens to a task and however the service lies, it pays once, lands what it paid, and says so."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.hostile.history import history

HISTORIES, AT_ONCE = 300, 30
BROKEN_ONCE = (486, 707, 916, 1182, 1275, 1329, 1564, 1904, 1966, 2032, 2151, 2209, 2385, 2704, 2884)
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
