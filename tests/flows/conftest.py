"""Flows carried out against the emulator, on its clock: nobody sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.client.places import Either, gemini_config, vertex_config
from tests.flows.desk import Desk


@pytest.fixture(params=["gemini", "vertex"])
def desk(request: pytest.FixtureRequest, make_desk: Callable[[str], Desk]) -> Desk:
    """Give a desk at either service."""
    return make_desk(request.param)


@pytest.fixture
def gemini_desk(make_desk: Callable[[str], Desk]) -> Desk:
    """Give a desk at the Gemini API."""
    return make_desk("gemini")


@pytest.fixture
def make_desk(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Desk]]:
    """Give a function that opens a desk."""
    opened: list[Any] = []

    def make(backend: str) -> Desk:
        storage: CloudStorage | None = None
        if backend == "gemini":
            emulator: Emulator = request.getfixturevalue("emulator")
            client = GenAIBatchClient(gemini_config(emulator))
        else:
            storage = request.getfixturevalue("cloud_storage")
            emulator = opened_emulator(storage)
            client = GenAIBatchClient(vertex_config(emulator))
        opened.append(client.close)
        service = "batches" if backend == "gemini" else "batchPredictionJobs"
        return Desk(Either(service, emulator, client, storage))

    def opened_emulator(storage: CloudStorage) -> Emulator:
        emulator = Emulator(storage=storage)
        emulator.__enter__()
        opened.append(lambda: emulator.__exit__(None, None, None))
        return emulator

    yield make
    for close in opened[::-1]:
        close()
