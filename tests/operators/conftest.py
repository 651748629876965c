"""Scenes as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_genai_batch.flows import retry as backoff
from airflow_provider_genai_batch.flows.submission import search
from tests.operators.scenes import SCENES, Scene


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten waits between tries; how long they are is tested with the flows."""
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01, 0.01, 0.01, 0.01))
    monkeypatch.setattr(backoff, "FIRST", 0.01)


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """Give each scene in turn, its service's emulator running and the default connection set."""
    backend, build = SCENES[request.param]
    return build(request.getfixturevalue(backend), tmp_path)
