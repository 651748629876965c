"""The web server in a separate thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

_GRACE_SECONDS = 1
_START_SECONDS = 30


class _ShowsTransport(asyncio.Protocol):
    """Gives the application access to the connection, so that it can drop it."""

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the transport into the state that every request of this connection gets."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


_Protocol = type("_Protocol", (_ShowsTransport, AutoHTTPProtocol), {})


class _Server(uvicorn.Server):
    """A server that reports when it is ready, and stops on an event instead of polling ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        if self._stop is not None:
            await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn's own shutdown always sleeps, which adds up with one emulator for each test.
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(self.server_state.tasks, timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.sleep(0)

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)


class ServerThread:
    """Serves an application on a socket until stopped."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        """Bind the socket; port 0 chooses a free one."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # asyncio turns Nagle's algorithm off only if the protocol is named; otherwise it costs 40 ms a reply.
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.listen(2048)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            proxy_headers=False,
            lifespan="off",
            log_level="warning",
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=60,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, name="genai-batch-emulator", daemon=True)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def start(self) -> None:
        """Return when requests are served.

        Raises:
            RuntimeError: The server did not start in time.
        """
        self._thread.start()
        if not self._server.ready.wait(_START_SECONDS):
            message = "the emulator's server did not start"
            raise RuntimeError(message)

    def stop(self) -> None:
        """Stop serving; return when the thread has ended."""
        self._server.stop()
        self._thread.join(_START_SECONDS)
