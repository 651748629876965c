"""Google's own SDK, in its two latest majors, gets through the online calls of the emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, RowError
from tests.referee.test_sdk_completes import VERSIONS, WAYS, made_by_the_sdk

SCRIPT = Path(__file__).with_name("sdk_online.py")
_REFUSED = {"shed": 14, "quota": 8}


def _refuse_some(request: dict[str, Any]) -> None:
    """Refuse a prompt that names how; leave others to the pretend model."""
    said = json.dumps(request)
    for word, code in _REFUSED.items():
        if word in said:
            raise RowError(code)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("major", VERSIONS)
def test_the_sdk_completes_every_online_gemini_call(major: int, way: str) -> None:
    with Emulator(answer=_refuse_some) as emulator:
        found = made_by_the_sdk(major, "gemini", way, {"url": emulator.url}, SCRIPT)
        timeouts = [
            one["headers"].get("x-server-timeout")
            for one in emulator.requests
            if one["method"] == "models.generateContent"
        ]
    assert found == {
        "flex": ["Answer to: hi", "flex", 1],
        "standard": ["Answer to: ho", "standard"],
        "embeddings": [4, 4],
        "tokens": 10,
        "shed": [503, "UNAVAILABLE"],
        "minute": [429, "RESOURCE_EXHAUSTED"],
    }
    assert timeouts[0] == "900"


@pytest.mark.parametrize(("major", "way"), [(3, "async"), (2, "sync")])
def test_the_sdk_completes_every_online_vertex_call(major: int, way: str) -> None:
    with Emulator() as emulator:
        found = made_by_the_sdk(major, "vertex", way, {"url": emulator.url}, SCRIPT)
    assert found == {
        "flex": ["Answer to: hi", "ON_DEMAND_FLEX"],
        "standard": ["Answer to: hi", "ON_DEMAND"],
        "tokens": 10,
    }
