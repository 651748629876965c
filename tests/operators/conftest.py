"""Scenes as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.operators.scenes import SCENES, Scene


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """Give each scene in turn, its service's emulator running and the default connection set."""
    backend, build = SCENES[request.param]
    return build(request.getfixturevalue(backend), tmp_path)
