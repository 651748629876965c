"""What is different for pytest in a cell of the matrix."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.by_turns import draws, share
from tests.matrix.suite import NOT_BEFORE, PART


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse to test anything but the wheel."""
    import airflow_provider_genai_batch

    place = Path(airflow_provider_genai_batch.__file__)
    if "site-packages" not in place.parts:
        pytest.exit(f"{place} is not the installed package", returncode=3)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a newer Airflow; leave most cases of each test out where only a part is asked for."""
    have = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
    for item in items:
        for begin, (first, why) in NOT_BEFORE.items():
            if item.nodeid.startswith(begin) and have < first:
                item.add_marker(pytest.mark.skip(reason=why))
    if PART in os.environ:
        left_out = _left_out(items, int(os.environ[PART]))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
        items[:] = [item for item in items if item.nodeid not in left_out]


def _left_out(items: list[pytest.Item], of: int) -> set[str]:
    import airflow_provider_genai_batch

    choice = draws(Path(airflow_provider_genai_batch.__file__).parent)
    cases: dict[str, list[str]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item.nodeid)
    return {one for ids in cases.values() for one in {*ids}.difference(share(ids, of, choice))}


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the looks of a retry: before Airflow 3.3, where nothing is written down, every retry looks for long."""
    from airflow_provider_genai_batch.flows.submission import search

    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01, 0.01, 0.01, 0.01))
