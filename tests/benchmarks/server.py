"""A service on the loopback that takes an input and hands out a finished job's rows, as Gemini's and as OpenAI's.

A process of its own, which does nothing else, so that both sides wait for the same thing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.benchmarks.data import gemini, openai, write

_PIECE = 1024 * 1024
_NONE: Mapping[str, str] = {}


class _Handler(BaseHTTPRequestHandler):
    """Paths end in ``<kind>-<rows>``, which names a result file in the server's folder."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = path.removesuffix("/content").removesuffix(":download").rpartition("/")[2]
        if "/batches/" in path:
            kind, _, rows = name.rpartition("-")
            self._say(_openai_job(name) if path.startswith("/v1/") else _gemini_job(name, int(rows)))
        else:
            spelling = openai if path.endswith("/content") else gemini
            kind, _, rows = name.rpartition("-")
            self._send(self.folder / f"{spelling.__name__}-{kind}-{rows}.jsonl")

    def do_POST(self) -> None:
        size = missing = int(self.headers["Content-Length"])
        while missing:
            missing -= len(self.rfile.read(min(missing, _PIECE)))
        command = self.headers.get("X-Goog-Upload-Command", "")
        if command == "start":
            self._say({}, url=f"http://{self.headers['Host']}/upload", status="active")
        elif command:
            final = "finalize" in command
            file = {"name": "files/input", "state": "ACTIVE"} if final else None
            self._say({"file": file}, status="final" if final else "active")
        else:
            self._say(_openai_job("input") if self.path.endswith("/batches") else _openai_file(size))

    def _say(self, value: object, **upload: str) -> None:
        body = json.dumps(value).encode()
        self._head("application/json", len(body), upload)
        self.wfile.write(body)

    def _send(self, path: Path) -> None:
        self._head("application/octet-stream", path.stat().st_size)
        with path.open("rb") as data:
            self.connection.sendfile(data)

    def _head(self, kind: str, size: int, upload: Mapping[str, str] = _NONE) -> None:
        self.send_response(200)
        for name, value in upload.items():
            self.send_header(f"X-Goog-Upload-{name}", value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _gemini_job(name: str, rows: int) -> object:
    stats = {"requestCount": str(rows), "successfulRequestCount": str(rows)}
    meta = {
        "name": f"batches/{name}",
        "model": "models/gemini-2.5-flash",
        "displayName": "benchmark",
        "state": "BATCH_STATE_SUCCEEDED",
        "inputConfig": {"fileName": "files/input"},
        "batchStats": stats,
        "output": {"responsesFile": f"files/{name}"},
    }
    return {
        "name": f"batches/{name}",
        "metadata": meta,
        "done": True,
        "response": {"responsesFile": f"files/{name}"},
    }


def _openai_job(name: str) -> object:
    return {
        "id": name,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "input",
        "completion_window": "24h",
        "status": "completed",
        "output_file_id": name,
        "created_at": 1767225600,
    }


def _openai_file(size: int) -> object:
    about = {"created_at": 1767225600, "filename": "input.jsonl", "purpose": "batch", "status": "processed"}
    return {"id": "input", "object": "file", "bytes": size, **about}


def prepare(folder: Path, kind: str, rows: int, *, peer: bool) -> None:
    """Write what will be asked for."""
    for spelling in (gemini, openai) if peer else (gemini,):
        path = folder / f"{spelling.__name__}-{kind}-{rows}.jsonl"
        if not path.exists():
            write(path, spelling, kind, rows)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Give the address of a server over a folder."""
    command = [sys.executable, "-m", "tests.benchmarks.server", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


if __name__ == "__main__":
    _Handler.folder = Path(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        print(f"http://127.0.0.1:{running.server_port}", flush=True)  # noqa: T201 - it is read
        running.serve_forever()
