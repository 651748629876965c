"""Clients for the emulator's own tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.emulator.talk import Gemini, Vertex, lines

_NUMBERS = count()


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Gemini]:
    """Give a client of the Gemini API."""
    with Gemini(emulator.url) as client:
        yield client


@pytest.fixture
def place(cloud_storage: CloudStorage) -> str:
    """Give a prefix of its own in Cloud Storage."""
    return f"gs://emulator-staging/{next(_NUMBERS)}"


@pytest.fixture
def put(cloud_storage: CloudStorage, place: str) -> Callable[..., str]:
    """Write rows to Cloud Storage and give their address."""

    def write(rows: Any, name: str = "in.jsonl") -> str:
        uri = f"{place}/{name}"
        cloud_storage.write(uri, [rows if isinstance(rows, bytes) else lines(rows)])
        return uri

    return write


@pytest.fixture
def vertex_emulator(cloud_storage: CloudStorage) -> Iterator[Emulator]:
    """Give an emulator of Vertex AI over Cloud Storage only."""
    with Emulator(storage=cloud_storage) as running:
        yield running


@pytest.fixture
def jobs(vertex_emulator: Emulator) -> Iterator[Vertex]:
    """Give a client of Vertex AI."""
    with Vertex(vertex_emulator.url) as client:
        yield client


@pytest.fixture
def output(cloud_storage: CloudStorage) -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """Read the rows a job wrote, from every JSONL object of its directory."""

    def read(job: dict[str, Any]) -> list[dict[str, Any]]:
        found = cloud_storage.list(job["outputInfo"]["gcsOutputDirectory"] + "/")
        whole = b"".join(b"".join(cloud_storage.read(uri)) for uri, _ in found if uri.endswith(".jsonl"))
        return [json.loads(line) for line in whole.splitlines()]

    return read
