"""The server of one upload, driven by hand: what becomes of each chunk is said beforehand."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.client.storage.uploads import Read
from airflow_provider_genai_batch.exceptions import TransportError
from airflow_provider_genai_batch.wire.services.files import File, UploadStatus


def simulate(  # noqa: C901 - a server in one piece
    flow: Any, script: list[tuple[str, float]]
) -> tuple[File, bytes]:
    """Be the server of an upload; each chunk takes the next of `script`: what happens, how much of it stays."""
    received, final = bytearray(), False
    step, result, error = next(flow), None, None
    try:
        while True:
            result, error = None, None
            if isinstance(step, Read):
                result = step.bytes()
            elif getattr(step, "method", "") == "files.start":
                result = "https://upload.example/?upload_id=1"
            elif getattr(step, "method", "") == "files.query":
                result = UploadStatus("final" if final else "active", len(received), None)
            elif getattr(step, "method", "") == "files.get":
                error = TransportError("no")
                if final:
                    result, error = File("files/x", len(received), "ACTIVE"), None
            elif getattr(step, "method", "") == "files.upload":
                sent = dict(step.request.headers)
                assert int(sent["X-Goog-Upload-Offset"]) == len(received)
                kind, share = script.pop(0) if script else ("fine", 1.0)
                keep = int(len(step.request.body) * share) if kind == "part" else len(step.request.body)
                if kind != "refused":
                    received += step.request.body[:keep]
                    whole = keep == len(step.request.body)
                    final = final or (whole and "finalize" in sent["X-Goog-Upload-Command"])
                if kind == "fine":
                    done = File("files/x", len(received), "ACTIVE") if final else None
                    result = UploadStatus("final" if final else "active", len(received), done)
                elif kind == "mute":
                    result = UploadStatus("", None, None)
                else:
                    error = TransportError(kind)
            step = flow.throw(error) if error else flow.send(result)
    except StopIteration as end:
        return end.value, bytes(received)
