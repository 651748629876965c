"""Attempts without the patience that lists ask of them."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.flows.submission import search


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten waits between looks; how long they are is tested with the flows."""
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01, 0.01, 0.01, 0.01))
