"""A server in front of another: it passes everything on, but for the trouble that a test asks for."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal

import httpx

if TYPE_CHECKING:
    from typing_extensions import Self

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server", "content-length"}


@dataclass
class Trouble:
    """What happens to requests.

    Args:
        request: pattern of ``GET /path?query`` of those that it happens to.
        kind: ``refused``, or the answer ``breaks off`` before the end that it told. It may also be whole by its length,
            and the end is missing all the same: of the lines (``cut``), or of what was compressed (``gzip cut``).
            ``zipped`` is no trouble: compressed, in two members.
        status: of a refusal.
        after: how many such requests are let pass before.
        times: how often it happens.
        share: one in so many lines is sent.
    """

    request: str
    kind: Literal["refused", "breaks off", "cut", "gzip cut", "zipped"]
    status: int = 0
    after: int = 0
    times: int = 1_000_000
    share: int = 2
    seen: list[str] = field(default_factory=list)

    def happens_to(self, request: str) -> bool:
        """Tell whether it does, and note it."""
        if not re.search(self.request, request):
            return False
        self.seen.append(request)
        return self.after < len(self.seen) <= self.after + self.times

    def body(self, whole: bytes) -> bytes:
        """Return what is sent of a body."""
        lines = whole.splitlines(keepends=True)
        half = whole[: len(whole) // 2] if len(lines) < 2 else b"".join(lines[: len(lines) // self.share])
        if self.kind == "zipped":
            return gzip.compress(half) + gzip.compress(whole[len(half) :])
        if self.kind == "gzip cut":
            packed = gzip.compress(whole, compresslevel=0)
            return packed[: len(packed) // 2]
        return half


class Tampering:
    """Stands before `upstream`; ``troubles`` says what goes wrong, the first that fits."""

    def __init__(self, upstream: str) -> None:
        self.troubles: list[Trouble] = []
        troubles = self.troubles
        client = self._client = httpx.Client(base_url=upstream, trust_env=False, timeout=120)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                request = f"{self.command} {self.path}"
                trouble = next((one for one in troubles if one.happens_to(request)), None)
                if trouble is not None and trouble.kind == "refused":
                    error = {"error": {"code": trouble.status, "message": "the bucket is over its quota"}}
                    self._answer(
                        trouble.status, {"Content-Type": "application/json"}, json.dumps(error).encode()
                    )
                    return
                headers = {**dict(self.headers.items()), "Accept-Encoding": "identity"}
                reply = client.request(self.command, self.path, content=body, headers=headers)
                kept = {k: v for k, v in reply.headers.items() if k not in _HOP_BY_HOP}
                if trouble is None:
                    self._answer(reply.status_code, kept, reply.content)
                    return
                if "zip" in trouble.kind:
                    kept["Content-Encoding"] = "gzip"
                short = trouble.body(reply.content)
                told = len(reply.content) if trouble.kind == "breaks off" else len(short)
                self._answer(reply.status_code, kept, short, told)
                self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _any  # noqa: N815 - the library's names

            def _answer(
                self, status: int, headers: Mapping[str, str], body: bytes, told: int | None = None
            ) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) if told is None else told))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._client.close()
