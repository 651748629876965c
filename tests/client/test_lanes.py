"""The connections of one event loop: as many as there are calls at a time, and no more than are wanted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client.transport.http import AsyncHttp
from airflow_provider_genai_batch.emulator import VirtualClock
from airflow_provider_genai_batch.exceptions import TransportError
from airflow_provider_genai_batch.testing.clock import SharedClock
from airflow_provider_genai_batch.wire.services.http import HttpRequest


class Server:
    """Answers each request of a connection once `go_on` is set, and counts connections."""

    def __init__(self) -> None:
        self.opened = self.open = self.most_open = self.waiting = 0
        self.go_on = asyncio.Event()
        self.changed = asyncio.Condition()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while await self._request(reader):
                await self.go_on.wait()
                body = json.dumps({"connection": self.opened}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has closed the connection
        finally:
            writer.close()
            await self._note(-1, 0)

    async def _request(self, reader: asyncio.StreamReader) -> bool:
        await reader.readuntil(b"\r\n\r\n")
        await self._note(0, 1)
        return True

    async def _note(self, connections: int, requests: int) -> None:
        async with self.changed:
            self.open += connections
            self.waiting += requests
            self.changed.notify_all()

    async def until_asked(self, times: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.waiting >= times)

    async def until_open(self, connections: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.open == connections)


@asynccontextmanager
async def served() -> AsyncGenerator[tuple[Server, HttpRequest], None]:
    answers = Server()
    server = await asyncio.start_server(answers, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield answers, HttpRequest("GET", f"http://127.0.0.1:{port}/x")
    finally:
        server.close()


async def test_no_more_connections_are_open_than_calls_may_go_on_and_each_is_used_again():
    async with served() as (server, request):
        http = AsyncHttp(3)
        calls = [asyncio.create_task(http.send(request, {})) for _ in range(12)]
        await server.until_asked(3)
        server.go_on.set()
        answers = await asyncio.gather(*calls)
        await http.close()
        await server.until_open(0)
    assert [answer.status for answer in answers] == [200] * 12
    assert (server.most_open, server.opened) == (3, 3)


async def test_a_connection_that_nobody_has_needed_for_long_is_closed():
    service = VirtualClock()
    with clock.replaced(SharedClock(service)):
        async with served() as (server, request):
            http = AsyncHttp(5)
            calls = [asyncio.create_task(http.send(request, {})) for _ in range(5)]
            await server.until_asked(5)
            server.go_on.set()
            await asyncio.gather(*calls)
            service.advance(60)
            await http.send(request, {})
            await server.until_open(1)
            await http.close()


async def test_a_call_that_is_given_up_makes_room_for_the_next():
    async with served() as (server, request):
        http = AsyncHttp(1)
        call = asyncio.create_task(http.send(request, {}))
        await server.until_asked(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        server.go_on.set()
        assert (await http.send(request, {})).status == 200
        await http.close()


async def test_a_call_that_gets_no_connection_in_time_fails_and_one_that_gives_up_takes_no_place_along():
    service = VirtualClock()
    with clock.replaced(SharedClock(service)):
        async with served() as (server, request):
            http = AsyncHttp(1)
            first = asyncio.create_task(http.send(request, {}))
            await server.until_asked(1)
            late = asyncio.create_task(http.send(request, {}))
            with pytest.raises(TransportError, match="no connection was free within 120 seconds"):
                await late
            gone, last = (asyncio.create_task(http.send(request, {})) for _ in range(2))
            await asyncio.sleep(0)
            gone.cancel()
            server.go_on.set()
            assert [answer.status for answer in await asyncio.gather(first, last)] == [200, 200]
            assert server.opened == 1
            await http.close()
