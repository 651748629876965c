"""A server of a few lines, for what the emulator cannot be asked to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

Handle = Callable[[BaseHTTPRequestHandler], None]


class RawServer:
    """Answers every request by a function; ``seen`` holds what came."""

    def __init__(self, handle: Handle) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - the library's names

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answer(request: BaseHTTPRequestHandler, status: int, body: bytes = b"{}", **headers: str) -> None:
    """Answer and close."""
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)
    request.close_connection = True
