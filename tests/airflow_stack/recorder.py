"""A server in front of another one that notes what passes, credentials included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-encoding",
    "content-length",
    "date",
    "server",
}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer; an answer that never came is empty."""

    verb: str
    target: str
    """Path and query as they were sent."""
    headers: dict[str, str]
    """All names are in lower case, here and below."""
    body: bytes
    answered: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""


class Recorder:
    """What passed, and where to send requests to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.exchanges: list[Exchange] = []


@contextmanager
def recorder(upstream: str) -> Iterator[Recorder]:
    """Serve on a port of loopback until the end of the block.

    Args:
        upstream: Address of the server behind, without a slash at its end.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # a process was killed while it asked
                self.close_connection = True

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = {name: value for name, value in headers.items() if name not in _HOP}
            try:
                answer = behind.request(self.command, upstream + self.path, headers=sent, content=body)
            except httpx.TransportError:  # a fault of the emulator: its caller is to see the same
                noted.exchanges.append(Exchange(self.command, self.path, headers, body))
                self.close_connection = True
                return
            answered = dict(answer.headers.items())
            noted.exchanges.append(Exchange(self.command, self.path, headers, body, answered, answer.content))
            self.send_response(answer.status_code)
            for name, value in answered.items():
                if name not in _HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815 - the server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's name
            """Say nothing."""

    with (
        httpx.Client(trust_env=False, timeout=60) as behind,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        noted = Recorder(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield noted
        finally:
            server.shutdown()
            thread.join()
