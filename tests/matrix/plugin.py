"""What is different for pytest in a cell of the matrix."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from tests.matrix.suite import NOT_BEFORE


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse to test anything but the wheel."""
    import airflow_provider_genai_batch

    place = Path(airflow_provider_genai_batch.__file__)
    if "site-packages" not in place.parts:
        pytest.exit(f"{place} is not the installed package", returncode=3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a newer Airflow."""
    have = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
    for item in items:
        for begin, (first, why) in NOT_BEFORE.items():
            if item.nodeid.startswith(begin) and have < first:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the looks of a retry: before Airflow 3.3, where nothing is written down, every retry looks for long."""
    from airflow_provider_genai_batch.flows.submission import search

    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01, 0.01, 0.01, 0.01))
