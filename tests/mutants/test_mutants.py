"""Each mutant of the package is caught by the test that is named for it; ``MUTANTS=all`` tries all of them."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.by_turns import draws, share
from tests.mutants.child import ROOT, Run, context, run
from tests.mutants.table import MUTANTS, Mutant

PACKAGE = "airflow_provider_genai_batch"
AT_ONCE = 2
UNMUTATED = ""
SHARE = 6
"""One in so many is tried in a run of all tests."""
_TRIES = 3


def _chosen() -> list[Mutant]:
    """Choose some, others with each change of the package."""
    if os.environ.get("MUTANTS") == "all":
        return [*MUTANTS]
    return share(MUTANTS, SHARE, draws(ROOT / PACKAGE))


CHOSEN = _chosen()


def _run(processes: ForkServerContext, folder: Path, *tests: str) -> Run:
    """Run tests until they come to a verdict: on a busy machine a server may not start, or a process be killed."""
    for _ in range(_TRIES):
        found = run(processes, folder, *tests)
        if found.passed or found.failed:
            break
    return found


def _unmutated(processes: ForkServerContext, folder: Path) -> Run:
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE)
    return _run(processes, folder, *sorted({mutant.test for mutant in CHOSEN}))


def _mutated(processes: ForkServerContext, folder: Path, mutant: Mutant) -> Run:
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE)  # with its bytecode, which saves compiling it
    path = folder / PACKAGE / mutant.file
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file} holds {mutant.old!r} {text.count(mutant.old)} times"
    path.write_text(text.replace(mutant.old, mutant.new))
    compile(path.read_text(), str(path), "exec")
    return _run(processes, folder, mutant.test)


def _outcomes(folder: Path) -> dict[str, Run]:
    """Run every mutant's test, and all of them without a mutation, a few at a time."""
    processes = context()
    folders = (folder / str(number) for number in count())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {UNMUTATED: pool.submit(_unmutated, processes, next(folders))}
        for mutant in CHOSEN:
            runs[mutant.name] = pool.submit(_mutated, processes, next(folders), mutant)
    return {name: one.result() for name, one in runs.items() if one.exception() is None}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Run them in a process apart: a process has one fork server, and here other tests may have started it."""
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(_outcomes, tmp_path_factory.mktemp("mutants")).result()


def test_each_mutant_can_be_made() -> None:
    there = {mutant.name: (ROOT / PACKAGE / mutant.file).read_text().count(mutant.old) for mutant in MUTANTS}
    assert {name: times for name, times in there.items() if times != 1} == {}


@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_mutant_is_caught(mutant: Mutant, outcomes: dict[str, Run]) -> None:
    found = outcomes[mutant.name]
    assert not found.passed, f"{mutant.test} holds with the mutant"
    assert found.failed, f"it came to no verdict, status {found.status}: {found.said[-5000:]}"


def test_the_tests_that_catch_mutants_pass_without_them(
    outcomes: dict[str, Run],
) -> None:
    found = outcomes[UNMUTATED]
    assert found.passed, found.said[-5000:]
