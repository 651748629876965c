"""A key that is replaced while triggers wait: they go on with the new one, and a wrong one makes no stampede."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from airflow_provider_genai_batch.client.transport import http
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.hooks import poller_pool as shared
from airflow_provider_genai_batch.hooks.poller_pool import shared_poller
from tests.client.raw import RawServer, answer
from tests.triggers.watching import fire, trigger
from tests.waiting import until

CONNECTION = "genai_batch_default"
PATIENCE = 30
REFUSAL = {
    "code": 400,
    "status": "INVALID_ARGUMENT",
    "message": "API key not valid.",
    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
}


class Service:
    """Takes one key, and tells of each job that it runs until it is among those that have ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.key = ""
        self.ended: set[str] = set()
        self.server = RawServer(self._serve)
        self._monkeypatch = monkeypatch

    def rotate(self, key: str) -> None:
        """Take another key from now on."""
        self.key = key

    def connect(self, key: str) -> None:
        """Write a key into the connection."""
        connection = {"conn_type": "genai_batch", "host": self.server.url, "password": key}
        self._monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(connection))

    def looks(self) -> int:
        """Count the looks."""
        return len(self.server.seen)

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.partition("?")[0].removeprefix("/v1beta/")
        if request.headers["x-goog-api-key"] != self.key:
            answer(request, 400, json.dumps({"error": REFUSAL}).encode())
            return
        state = "BATCH_STATE_SUCCEEDED" if name in self.ended else "BATCH_STATE_RUNNING"
        answer(request, 200, json.dumps({"name": name, "metadata": {"state": state}}).encode())


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    running = Service(monkeypatch)
    with running.server:
        running.rotate("the old key")
        running.connect("the old key")
        yield running


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[http.AsyncHttp]:
    """Note the clients that are made."""
    made: list[http.AsyncHttp] = []
    init = http.AsyncHttp.__init__

    def counted(self: http.AsyncHttp, *how: Any) -> None:
        made.append(self)
        init(self, *how)

    monkeypatch.setattr(http.AsyncHttp, "__init__", counted)
    return made


async def test_triggers_that_wait_and_those_that_come_go_on_with_the_new_key(
    service: Service, clients: list[http.AsyncHttp]
) -> None:
    waiting = [asyncio.ensure_future(fire(trigger([f"batches/a{n}"]))) for n in range(5)]
    await until(lambda: service.looks() > 5)
    service.connect("the new key")
    service.rotate("the new key")
    service.ended = {"batches/b"}
    assert (await asyncio.wait_for(fire(trigger(["batches/b"])), PATIENCE))["why"] == "ended"
    before = service.looks()
    await until(lambda: service.looks() > before + 20)
    service.ended = {f"batches/a{n}" for n in range(5)}
    events = await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
    assert [event["why"] for event in events] == ["ended"] * 5
    assert len(clients) == 2
    assert not shared.lent()


async def test_a_key_that_stays_wrong_is_told_to_all_by_two_clients_at_most(
    service: Service, clients: list[http.AsyncHttp]
) -> None:
    service.rotate("another, which nobody wrote into the connection")
    events = await asyncio.wait_for(
        asyncio.gather(*(fire(trigger([f"batches/a{n}"])) for n in range(200))), PATIENCE
    )
    assert {event["why"] for event in events} == {"lost"}
    assert all("API key not valid" in event["detail"] for event in events)
    assert len(clients) == 2
    assert not shared.lent()


async def test_a_connection_is_not_read_anew_again_and_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shared_poller(CONNECTION) as first:
        first.client.refused = True
        async with shared_poller(CONNECTION) as second:
            assert second is not first
            second.client.refused = True
            async with shared_poller(CONNECTION) as third:
                assert third is second
            monkeypatch.setattr(shared, "STAYS_REFUSED", 0)
            async with shared_poller(CONNECTION) as fourth:
                assert fourth is not second
    assert not shared.lent()


async def test_a_connection_that_could_not_be_read_anew_is_read_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shared_poller(CONNECTION) as first:
        first.client.refused = True
        with monkeypatch.context() as gone:
            gone.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", '{"conn_type": "http"}')
            with pytest.raises(GenAIBatchError):
                await shared_poller(CONNECTION).__aenter__()
        async with shared_poller(CONNECTION) as second:
            assert second is not first
    assert not shared.lent()
