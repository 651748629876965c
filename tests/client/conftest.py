"""One test body for both clients: an adapter that makes each look the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.models import BatchJob, ResultRow
from tests.client.places import Either, gemini_config, vertex_config
from tests.pauses import at_pauses


class Sync:
    """The blocking client."""

    def __init__(self, config: ClientConfig) -> None:
        self.client: Any = GenAIBatchClient(config)
        self.calls = self.client.calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def list(self, **settings: Any) -> list[BatchJob]:
        return [*self.client.list(**settings)]

    def chunks(self, address: str) -> list[bytes]:
        return [*self.client.download(address)]

    def download(self, address: str) -> bytes:
        return b"".join(self.chunks(address))

    def rows(self, job: Any, **settings: Any) -> Any:
        return [*self.client.rows(job, **settings)]


class Async:
    """The client for coroutines, on a loop of its own."""

    def __init__(self, config: ClientConfig) -> None:
        self.loop = asyncio.new_event_loop()
        self.client: Any = AsyncGenAIBatchClient(config)
        self.calls = self.client.calls
        self.service_clock = self.client.service_clock
        self.service_time = self.client.service_time

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        return lambda *args, **settings: self.loop.run_until_complete(method(*args, **settings))

    def list(self, **settings: Any) -> list[BatchJob]:
        return self._all(self.client.list(**settings))

    def chunks(self, address: str) -> list[bytes]:
        return list(self._all(self.client.download(address)))

    def download(self, address: str) -> bytes:
        return b"".join(self.chunks(address))

    def rows(self, job: Any, **settings: Any) -> list[ResultRow]:
        return self._all(self.client.rows(job, **settings))

    def _all(self, items: Any) -> Any:
        async def collect() -> Any:
            return [item async for item in items]

        return self.loop.run_until_complete(collect())

    def close(self) -> None:
        try:
            self.loop.run_until_complete(self.client.close())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            self.loop.close()


Connect = Callable[[ClientConfig], Any]


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Give a function that opens a client of either kind."""
    opened: list[Any] = []

    def make(config: ClientConfig) -> Any:
        opened.append(request.param(config))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def naps() -> Iterator[list[float]]:
    """Note what the clients would sleep, and do not."""
    noted: list[float] = []
    with at_pauses(noted.append):
        yield noted


@pytest.fixture
def gem(emulator: Emulator, connect: Connect, naps: list[float]) -> Any:
    """Give a client of the Gemini API that does not sleep."""
    return connect(gemini_config(emulator))


@pytest.fixture
def vertex_emulator(cloud_storage: CloudStorage) -> Iterator[Emulator]:
    """Give an emulator of Vertex AI over Cloud Storage only."""
    with Emulator(storage=cloud_storage) as running:
        yield running


@pytest.fixture
def ver(vertex_emulator: Emulator, connect: Connect, naps: list[float]) -> Any:
    """Give a client of Vertex AI that does not sleep."""
    return connect(vertex_config(vertex_emulator))


@pytest.fixture(params=["gemini", "vertex"])
def either(request: pytest.FixtureRequest, connect: Connect, naps: list[float]) -> Either:
    """Give emulator, client and a function that creates a job, of either service."""
    if request.param == "gemini":
        emulator = request.getfixturevalue("emulator")
        return Either("batches", emulator, connect(gemini_config(emulator)))
    emulator = request.getfixturevalue("vertex_emulator")
    storage = request.getfixturevalue("cloud_storage")
    return Either("batchPredictionJobs", emulator, connect(vertex_config(emulator)), storage)


@pytest.fixture
def on_vertex(vertex_emulator: Emulator, ver: Any, cloud_storage: CloudStorage) -> Either:
    """Give Vertex AI only."""
    return Either("batchPredictionJobs", vertex_emulator, ver, cloud_storage)


@pytest.fixture
def on_gemini(emulator: Emulator, gem: Any) -> Either:
    """Give the Gemini API only."""
    return Either("batches", emulator, gem)
