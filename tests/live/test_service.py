"""The same calls against the emulator, and against the real Gemini API when a key is given.

``GENAI_BATCH_LIVE_KEY=… python -m pytest -m live`` pays for two short answers at most; the job is cancelled at once.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import AuthenticationError, BadRequest, InputError, NotFound
from airflow_provider_genai_batch.models.base import Backend

MODEL = "gemini-2.5-flash-lite"
KEY = os.environ.get("GENAI_BATCH_LIVE_KEY")
SERVICES = ["emulator", *([pytest.param("live", marks=pytest.mark.live)] if KEY else [])]


@pytest.fixture(params=SERVICES)
def config(request: pytest.FixtureRequest) -> Iterator[ClientConfig]:
    """Give the configuration of each service there is."""
    if request.param == "live":
        yield ClientConfig(Backend.GEMINI, api_key=KEY)
        return
    with Emulator() as emulator:
        yield ClientConfig(Backend.GEMINI, api_key="emulator-key", host=emulator.url)


@pytest.fixture
def client(config: ClientConfig) -> Iterator[GenAIBatchClient]:
    with GenAIBatchClient(config) as connected:
        yield connected


def test_an_inline_job_is_created_found_cancelled_and_deleted(client: GenAIBatchClient) -> None:
    display_name = f"genai-batch-test {uuid4().hex}"
    job = client.create(MODEL, [{"key": "a", "contents": "Say a."}], display_name=display_name)
    try:
        assert job.name.startswith("batches/")
        assert job.display_name == display_name
        assert client.get(job.name).model == f"models/{MODEL}"
        assert job.name in {
            found.name for found in client.list(page_size=50) if found.display_name == display_name
        }
        client.cancel(job.name)
    finally:
        client.delete(job.name)
    with pytest.raises(NotFound):
        client.get(job.name)


def test_an_uploaded_file_is_taken_by_a_job(client: GenAIBatchClient) -> None:
    line = {"key": "a", "request": {"contents": [{"role": "user", "parts": [{"text": "Say a."}]}]}}
    name = f"files/t-{uuid4().hex[:20]}"
    address = client.upload(io.BytesIO(json.dumps(line).encode() + b"\n"), name=name)
    assert address == name
    job = client.create(MODEL, address)
    try:
        assert job.counts.total in (1, None)
        client.cancel(job.name)
    finally:
        client.delete(job.name)
        client.perform(client.calls.delete_file(name))


def test_a_malformed_row_is_refused_at_create(client: GenAIBatchClient) -> None:
    name = client.upload(io.BytesIO(b"{oops\n"))
    with pytest.raises(BadRequest):
        client.create(MODEL, name)
    client.perform(client.calls.delete_file(name))


def test_a_bad_key_is_named_as_such(config: ClientConfig) -> None:
    bad = ClientConfig(Backend.GEMINI, api_key="bad-key", host=config.host)
    with GenAIBatchClient(bad) as client, pytest.raises(AuthenticationError):
        next(client.list())


def test_an_unknown_model_is_refused(client: GenAIBatchClient) -> None:
    with pytest.raises((NotFound, InputError)):
        client.create("gemini-no-such-model", ["a"])
