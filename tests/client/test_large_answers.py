"""Answers that are larger than any should be: read to a limit, and told of."""

from __future__ import annotations

import gzip
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from airflow_provider_genai_batch.client import AsyncGenAIBatchClient, ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.client.transport import http
from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.models.base import Backend
from tests.client.raw import RawServer, answer

LIMIT = 1024 * 1024


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", LIMIT)


def large(request: BaseHTTPRequestHandler) -> None:
    answer(request, 200, b'{"name": "' + b"x" * LIMIT + b'"}')


def packed(request: BaseHTTPRequestHandler) -> None:
    answer(request, 200, gzip.compress(b'{"name": "' + b"x" * 8 * LIMIT + b'"}'), Content_Encoding="gzip")


def refusal(request: BaseHTTPRequestHandler) -> None:
    answer(request, 404, b"x" * 2 * LIMIT)


@pytest.mark.parametrize("handle", [large, packed, refusal])
@pytest.mark.usefixtures("limit")
def test_an_answer_over_the_limit_is_not_held(handle: Any, naps: list[float]) -> None:
    with (
        RawServer(handle) as server,
        GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="any", host=server.url)) as client,
        pytest.raises(UnreadableAnswer, match=f"larger than {LIMIT} bytes"),
    ):
        client.get("batches/a")


@pytest.mark.usefixtures("limit")
async def test_nor_is_it_by_the_triggerer(naps: list[float]) -> None:
    with RawServer(packed) as server:
        config = ClientConfig(Backend.GEMINI, api_key="any", host=server.url)
        async with AsyncGenAIBatchClient(config) as client:
            with pytest.raises(UnreadableAnswer, match=f"larger than {LIMIT} bytes"):
                await client.perform(client.calls.look("batches/a"), tries=1)


@pytest.mark.usefixtures("limit")
def test_a_refused_download_is_read_to_the_limit_only(naps: list[float]) -> None:
    with (
        RawServer(refusal) as server,
        GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="any", host=server.url)) as client,
        pytest.raises(UnreadableAnswer, match=f"larger than {LIMIT} bytes"),
    ):
        [*client.download("files/a")]
