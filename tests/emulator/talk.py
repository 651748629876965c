"""Speaking to the emulator as a client that knows the wire by heart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import httpx
from typing_extensions import Self

MODEL = "gemini-2.5-flash"
PLAIN: dict[str, Any] = {"trust_env": False, "timeout": 120, "verify": False}
"""No proxy, and no certificates to load: everything is on loopback."""
PROJECT = "emulator-project"
PARENT = f"/v1/projects/{PROJECT}/locations/us-central1"


def question(text: str, **more: Any) -> dict[str, Any]:
    """Return a GenerateContentRequest."""
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return JSONL."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def keyed(count: int, **more: Any) -> list[dict[str, Any]]:
    """Return rows with keys ``row-0`` and so on."""
    return [{"key": f"row-{number}", "request": question(f"say {number}", **more)} for number in range(count)]


class _Closing:
    http: httpx.Client
    bare: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        if self.bare is not None:
            self.bare.close()


class Gemini(_Closing):
    """The Gemini Developer API."""

    def __init__(self, url: str, key: str = "any") -> None:
        self.http = httpx.Client(base_url=url, headers={"x-goog-api-key": key}, **PLAIN)
        # The upload URL is the capability: no key goes with the bytes.
        self.bare: httpx.Client = httpx.Client(**PLAIN)
        self.url = url

    def inline(self, *texts: str, model: str = MODEL, **batch: Any) -> dict[str, Any]:
        rows = [
            {"request": question(text), "metadata": {"key": f"row-{at}"}} for at, text in enumerate(texts)
        ]
        body = {"batch": {"inputConfig": {"requests": {"requests": rows}}, **batch}}
        return good(self.http.post(f"/v1beta/models/{model}:batchGenerateContent", json=body))

    def from_file(self, name: str, model: str = MODEL, **batch: Any) -> dict[str, Any]:
        body = {"batch": {"inputConfig": {"fileName": name}, **batch}}
        return good(self.http.post(f"/v1beta/models/{model}:batchGenerateContent", json=body))

    def start(self, size: int | None, name: str | None = None) -> str:
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Type": "application/jsonl",
        }
        if size is not None:
            headers["X-Goog-Upload-Header-Content-Length"] = str(size)
        reply = self.http.post(
            "/upload/v1beta/files", headers=headers, json={"file": {"name": name} if name else {}}
        )
        reply.raise_for_status()
        return reply.headers["x-goog-upload-url"]

    def send(self, url: str, data: bytes, offset: int = 0, *, last: bool = True) -> httpx.Response:
        command = "upload, finalize" if last else "upload"
        headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
        return self.bare.post(url, headers=headers, content=data)

    def command(self, url: str, command: str) -> httpx.Response:
        return self.bare.post(url, headers={"X-Goog-Upload-Command": command})

    def upload(self, data: bytes, name: str | None = None) -> str:
        return good(self.send(self.start(len(data), name), data))["file"]["name"]

    def get(self, name: str, **query: str) -> dict[str, Any]:
        return good(self.http.get(f"/v1beta/{name}", params=query))

    def list(self, **query: str) -> dict[str, Any]:
        return good(self.http.get("/v1beta/batches", params=query))

    def cancel(self, name: str) -> dict[str, Any]:
        return good(self.http.post(f"/v1beta/{name}:cancel"))

    def delete(self, name: str) -> httpx.Response:
        return self.http.delete(f"/v1beta/{name}")

    def download(self, name: str) -> httpx.Response:
        return self.http.get(f"/v1beta/{name}:download", params={"alt": "media"})

    def ended(self, name: str) -> dict[str, Any]:
        return ended(lambda: self.get(name))

    def rows(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        reply = self.download(batch["response"]["responsesFile"])
        reply.raise_for_status()
        return [json.loads(line) for line in reply.text.splitlines()]


class Vertex(_Closing):
    """Vertex AI."""

    def __init__(self, url: str, token: str = "any") -> None:
        bearer = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=url, headers=bearer, **PLAIN)

    def body(self, source: str, dest: str, model: str = MODEL, **more: Any) -> dict[str, Any]:
        gs = source.startswith("gs://")
        to_gs = dest.startswith("gs://")
        return {
            "displayName": "test",
            "model": model if "/" in model else f"publishers/google/models/{model}",
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [source]}}
            if gs
            else {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": source}},
            "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": dest}}
            if to_gs
            else {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": dest}},
            **more,
        }

    def post(self, body: dict[str, Any], parent: str = PARENT) -> httpx.Response:
        return self.http.post(f"{parent}/batchPredictionJobs", json=body)

    def create(self, source: str, dest: str, **more: Any) -> dict[str, Any]:
        return good(self.post(self.body(source, dest, **more)))

    def get(self, name: str, **query: str) -> dict[str, Any]:
        return good(self.http.get(f"/v1/{name}", params=query))

    def list(self, **query: str) -> dict[str, Any]:
        return good(self.http.get(f"{PARENT}/batchPredictionJobs", params=query))

    def ended(self, name: str) -> dict[str, Any]:
        return ended(lambda: self.get(name))

    def run(self, source: str, dest: str, **more: Any) -> dict[str, Any]:
        return self.ended(self.create(source, dest, **more)["name"])


def ended(look: Any) -> dict[str, Any]:
    """Look until the job has ended."""
    for _ in range(10):
        job: dict[str, Any] = look()
        state = job.get("state") or job["metadata"]["state"]
        if state.rsplit("_STATE_", 1)[-1] in {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}:
            return job
    message = f"still {state}"
    raise AssertionError(message)


def good(reply: httpx.Response) -> dict[str, Any]:
    """Return the body of a reply that is exactly 200, as Google's client wants it."""
    assert reply.status_code == 200, reply.text
    return reply.json()


def refused(reply: httpx.Response) -> tuple[int, str]:
    """Return status and status name of an error."""
    error = reply.json()["error"]
    assert error["code"] == reply.status_code
    return reply.status_code, error["status"]
