"""All of the product goes by `airflow_provider_genai_batch.clock`: what looks past it cannot be tested by a clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_genai_batch

ROOT = Path(airflow_provider_genai_batch.__file__).parent
ALLOWED = {
    "clock.py": "the seam itself",
    "emulator": "a service with a clock of its own, which tests inject",
    "testing": "gives tests a clock, and starts it at the real time",
}
"""Files and folders that may look at the machine's clock, and why."""
_OF = {
    "asyncio": {"sleep", "wait_for", "timeout", "timeout_at"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "timezone": {"utcnow"},
    "threading": {"Timer"},
    "pendulum": {"now"},
}
_ANYWHERE = {"call_later", "call_at", "utcnow", "time_ns", "perf_counter"}
_MODULES = {"time", "sched", "pendulum"}


def looks_past_the_seam(source: str) -> Iterator[str]:
    """Name what reads the machine's clock, pauses, or sets a timer."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"import {name.name}" for name in node.names if name.name in _MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {name.name for name in node.names}
            if node.module in _MODULES or names & _OF.get(node.module, set()) - {"now", "today"}:
                yield f"from {node.module} import {', '.join(sorted(names))}"
        elif isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if node.attr in _ANYWHERE or node.attr in _OF.get(name, ()):
                yield f"{name}.{node.attr}"
            elif node.attr == "time" and (name == "loop" or isinstance(owner, ast.Call)):
                yield "loop.time"


def test_nothing_in_the_product_looks_at_the_machines_clock() -> None:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT)
        if where.parts[0] not in ALLOWED and (past := [*looks_past_the_seam(path.read_text())]):
            found[str(where)] = past
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import sleep",
        "from asyncio import sleep",
        "import asyncio\nasyncio.sleep(1)",
        "import asyncio\nasyncio.wait_for(event.wait(), 3)",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.now()",
        "timezone.utcnow()",
        "loop.call_later(3, print)",
        "asyncio.get_running_loop().time()",
        "loop.time()",
        "threading.Timer(3, print)",
    ],
)
def test_the_search_finds_each_way_to_look_past_it(source: str) -> None:
    assert [*looks_past_the_seam(source)]


def test_each_exception_is_there() -> None:
    assert [name for name in ALLOWED if not (ROOT / name).exists()] == []
