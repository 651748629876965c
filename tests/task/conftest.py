"""Attempts without the patience that lists ask of them, and clients of the emulator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.flows.submission import search
from airflow_provider_genai_batch.models.base import Backend


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten waits between looks; how long they are is tested with the flows."""
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01, 0.01, 0.01, 0.01))


@pytest.fixture
def connect(emulator: Emulator) -> Callable[[], AbstractContextManager[GenAIBatchClient]]:
    """Give what opens a client, as each process of a task does."""
    return lambda: GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="k", host=emulator.url))
