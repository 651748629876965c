"""``python -m tests.matrix [CELL …]``: run the suite in each cell and the commands of each extra."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.matrix.cells import CELLS, Cell
from tests.matrix.environment import HOME, NoPython, away, python_of, wheel
from tests.matrix.extras import EXTRAS, PYTHON, Extra, ExtraFailed
from tests.matrix.suite import BRIEF, PART, SUITE


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print a line for each cell, and tell whether all that could be run are well."""
    by_name: dict[str, Cell | Extra] = {cell.name: cell for cell in (*CELLS, *EXTRAS)}
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("cells", nargs="*", metavar="CELL", help=", ".join(by_name))
    parser.add_argument("--list", action="store_true", help="print their names as JSON")
    parser.add_argument(
        "--part",
        type=int,
        metavar="N",
        help="of each test's cases one in N, others after each change of the package",
    )
    options = parser.parse_args(argv)
    if options.list:
        sys.stdout.write(f"{json.dumps([*by_name])}\n")
        return 0
    names = options.cells
    if unknown := [name for name in names if name not in by_name]:
        parser.error(f"no such cell: {', '.join(unknown)}; there are {', '.join(by_name)}")
    chosen = [by_name[name] for name in names or by_name]
    told = {
        cell.name: run(cell, options.part) if isinstance(cell, Cell) else run_extra(cell) for cell in chosen
    }
    width = max(map(len, told))
    for name, said in told.items():
        sys.stdout.write(f"{name:{width}}  {said}\n")
    return int(any(said.startswith("FAILED") for said in told.values()))


def run(cell: Cell, part: int | None = None) -> str:
    """Run the suite in a cell and tell what became of it.

    Args:
        cell: Which.
        part: Of each test's cases one in so many is enough.
    """
    sys.stdout.write(f"== {cell.name}\n")
    sys.stdout.flush()
    begun = time.monotonic()
    try:
        python = python_of(cell)
    except NoPython as error:
        return f"skipped: there is no Python {cell.python} here, and uv could not fetch one ({error})"
    except subprocess.CalledProcessError as error:
        return f"FAILED: {' '.join(error.cmd)}: {error.stderr.strip()}"
    ready = time.monotonic()
    # Old libraries warn of much that is not this package's to mend; what it does itself is an error all the same.
    own = "filterwarnings=error:::airflow_provider_genai_batch"
    settings = ["-q", "-p", "tests.matrix.plugin", "-o", own, "--disable-warnings"]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", PART)}
    if part is not None:
        environment[PART] = str(part)
    done = subprocess.run(
        [str(python), "-m", "pytest", *settings, *(BRIEF if cell.brief else SUITE)],
        cwd=away(),
        env=environment,
        check=False,
    )
    spent = f"{ready - begun:.0f} s for the environment, {time.monotonic() - ready:.0f} s for the tests"
    return f"{'FAILED' if done.returncode else 'passed'}: {spent}"


def run_extra(extra: Extra) -> str:
    """Run an extra's commands in an environment of its own and tell what became of it."""
    sys.stdout.write(f"== {extra.name}\n")
    sys.stdout.flush()
    begun = time.monotonic()
    try:
        extra.check(wheel(), HOME / extra.name)
    except NoPython as error:
        return f"skipped: there is no Python {PYTHON} here, and uv could not fetch one ({error})"
    except subprocess.CalledProcessError as error:
        return f"FAILED: {' '.join(error.cmd)}: {error.stderr.strip()}"
    except ExtraFailed as error:
        return f"FAILED: {error}"
    return f"passed: {time.monotonic() - begun:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
