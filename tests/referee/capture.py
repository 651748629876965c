"""Runs beside Google's SDK: makes every call against a loopback server and dumps what was sent.

Writes one JSON object to the file named on the command line: ``{"version": …, "sent": {name: {"path", "body"}
or {"error"}}}``.
"""

from __future__ import annotations

import json
import sys
import threading
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import cases
import configs
import google.genai
import jobs
import one_sided
import refusals
from google.genai import types
from google.oauth2.credentials import Credentials


class _Server(HTTPServer):
    """Keeps the last request."""

    sent: dict[str, Any] | None = None


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.sent = {"path": self.path, "body": json.loads(body or b"null")}
        answer = b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def main(target: Path) -> None:
    """Make all calls and write what was sent."""
    warnings.simplefilter("ignore")
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{server.server_port}")
    gemini = google.genai.Client(api_key="k", http_options=options)
    vertex = google.genai.Client(
        vertexai=True,
        project="p1",
        location="us-central1",
        credentials=Credentials(token="t"),
        http_options=options,
    )
    batches, models = gemini.batches, vertex.models

    def inline(**request: Any) -> None:
        batches.create(model="gemini-2.5-flash", src=[request.pop("request", request)])

    def one(**request: Any) -> None:
        models.generate_content(model="gemini-2.5-flash", **request)

    def embed(**request: Any) -> None:
        models.embed_content(model="gemini-embedding-2", **request)

    calls: list[tuple[str, list[cases.Case], Callable[..., object]]] = [
        (
            "gemini request",
            cases.CONTENTS + configs.CONFIGS + one_sided.GEMINI_ONLY + refusals.GEMINI_REQUESTS,
            inline,
        ),
        (
            "vertex request",
            cases.CONTENTS + configs.CONFIGS + one_sided.VERTEX_ONLY + refusals.VERTEX_REQUESTS,
            one,
        ),
        ("gemini job", jobs.GEMINI_JOBS + refusals.GEMINI_JOBS, batches.create),
        ("gemini embeddings", jobs.GEMINI_EMBEDDINGS + refusals.GEMINI_EMBEDDINGS, batches.create_embeddings),
        ("vertex embedding", one_sided.VERTEX_EMBEDDINGS, embed),
        ("vertex job", jobs.VERTEX_JOBS + refusals.VERTEX_JOBS, vertex.batches.create),
    ]
    sent: dict[str, Any] = {}
    for kind, several, call in calls:
        for case in several:
            server.sent = None
            built = case.build(types)
            try:
                call(**(built if isinstance(built, dict) else {"request": built}))
            except Exception as error:  # noqa: BLE001 - whatever the SDK raises is its answer
                sent[f"{kind}: {case.name}"] = {"error": f"{type(error).__name__}: {error}"[:300]}
            else:
                sent[f"{kind}: {case.name}"] = server.sent
    target.write_text(json.dumps({"version": google.genai.__version__, "sent": sent}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
