"""Runs tests in a process that has what they all import already: that is half of what a process of its own costs."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_FOREIGN = (
    "google.auth.transport.requests",
    "google.oauth2.service_account",
    "httpx",
    "hypothesis.stateful",
    "jsonschema",
    "msgspec",
    "pydantic",
    "starlette.applications",
    "starlette.routing",
    "uvicorn",
)
"""Nothing of the package, which is to come from another folder, and no plugin of pytest."""


class Run(NamedTuple):
    """How pytest ended, and what it printed."""

    status: int | None
    said: str

    @property
    def passed(self) -> bool:
        """Whether all tests ran and held."""
        return self.status == 0

    @property
    def failed(self) -> bool:
        """Whether a test itself did not hold, rather than what sets it up, or the process."""
        return self.status == 1 and "1 failed" in self.said


def context() -> ForkServerContext:
    """Return what starts the processes."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([*_FOREIGN])
    return found


def run(processes: ForkServerContext, folder: Path, *tests: str) -> Run:
    """Run tests of this repository on the package in a folder."""
    said = folder / "said"
    process = processes.Process(target=_main, args=(folder, said, tests))
    process.start()
    process.join()
    return Run(process.exitcode, said.read_text())


def _main(folder: Path, said: Path, tests: tuple[str, ...]) -> None:
    with said.open("w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.chdir(ROOT)
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    import pytest

    words = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider"]
    # Plugins that nobody here needs would take half of the time.
    words += ["-p", "pytest_asyncio.plugin", "-p", "_hypothesis_pytestplugin"]
    words += ["-o", f"pythonpath={folder} {ROOT}", "--rootdir", str(ROOT), *tests]
    status = pytest.main(words)
    atexit._run_exitfuncs()  # multiprocessing ends its processes without them
    sys.exit(int(status))
