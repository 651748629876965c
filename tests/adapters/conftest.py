"""common.ai without its patience."""

from __future__ import annotations

import pytest
from airflow.providers.common.ai.operators import llm_batch

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.flows import retry as backoff
from airflow_provider_genai_batch.flows.submission import search
from tests.adapters.batches import MODELS


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it look without a pause between, which the operator forbids, and shorten the looking for lost jobs."""
    monkeypatch.setattr(llm_batch, "_MIN_POLL_INTERVAL", 0)
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01, 0.01, 0.01, 0.01))
    monkeypatch.setattr(backoff, "FIRST", 0.01)


@pytest.fixture(params=MODELS)
def backend(request: pytest.FixtureRequest) -> str:
    """Name each service in turn."""
    return str(request.param)


@pytest.fixture
def emulator_of(request: pytest.FixtureRequest, backend: str) -> Emulator:
    """Give its emulator."""
    return request.getfixturevalue(backend)  # type: ignore[no-any-return]
