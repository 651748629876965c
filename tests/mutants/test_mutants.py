"""Each mutant of the package is caught by the test that is named for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_genai_batch"
AT_ONCE = 2
UNMUTATED = ""
_FAILED = pytest.ExitCode.TESTS_FAILED


def _run(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests of this repository on the package in a folder."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", "-p", "no:cacheprovider"]
    # Plugins that nobody here needs would take half of the time.
    command += ["-p", "pytest_asyncio.plugin", "-p", "_hypothesis_pytestplugin"]
    command += ["-o", f"pythonpath={folder} {ROOT}", "--rootdir", str(ROOT), *tests]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def _unmutated(folder: Path) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE)
    return _run(folder, *sorted({mutant.test for mutant in MUTANTS}))


def _mutated(folder: Path, mutant: Mutant) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE)  # with its bytecode, which saves compiling it
    path = folder / PACKAGE / mutant.file
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file} holds {mutant.old!r} {text.count(mutant.old)} times"
    path.write_text(text.replace(mutant.old, mutant.new))
    compile(path.read_text(), str(path), "exec")
    return _run(folder, mutant.test)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run every mutant's test, and all of them without a mutation, a few at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {UNMUTATED: pool.submit(_unmutated, tmp_path_factory.mktemp("unmutated"))}
        for mutant in MUTANTS:
            runs[mutant.name] = pool.submit(_mutated, tmp_path_factory.mktemp("mutant"), mutant)
    return {name: run.result() for name, run in runs.items() if run.exception() is None}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_mutant_is_caught(mutant: Mutant, outcomes: dict[str, subprocess.CompletedProcess[str]]) -> None:
    text = (ROOT / PACKAGE / mutant.file).read_text()
    assert text.count(mutant.old) == 1, "the text that is to be changed is not there exactly once"
    run = outcomes[mutant.name]
    assert run.returncode == _FAILED, run.stdout + run.stderr
    assert "1 failed" in run.stdout


def test_the_tests_that_catch_mutants_pass_without_them(
    outcomes: dict[str, subprocess.CompletedProcess[str]],
) -> None:
    run = outcomes[UNMUTATED]
    assert run.returncode == pytest.ExitCode.OK, run.stdout[-5000:] + run.stderr
