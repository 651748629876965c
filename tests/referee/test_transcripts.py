"""Dated transcripts of the live service: the client reads them, and the emulator answers in the same shape.

They are published captures of the Gemini API from September 2026, with names and times made up.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.models import JobCounts, JobState
from airflow_provider_genai_batch.wire.services import gemini

KEY = {"x-goog-api-key": "emulator-key"}
LINES = b"".join(
    json.dumps({"key": f"row-{number}", "request": {"contents": [{"parts": [{"text": "hi"}]}]}}).encode()
    + b"\n"
    for number in range(3)
)


def transcript(name: str) -> dict[str, Any]:
    path = Path(__file__).parent / "transcripts" / f"2026-09-gemini-{name}.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def shape(value: Any) -> Any:
    """Keep names and kinds of values; of a time the number of its fraction digits, of a text that it is a number."""
    if isinstance(value, dict):
        return {name: inner if name == "@type" else shape(inner) for name, inner in value.items()}
    if isinstance(value, str) and value.endswith("Z") and "T" in value:
        return f"time with {len(value.rpartition('.')[2]) - 1} digits"
    if isinstance(value, str) and value.isdigit():
        return "number in quotes"
    if isinstance(value, str) and value.startswith(("batches/", "files/")):
        return value.partition("/")[0]
    return value if isinstance(value, bool) else type(value).__name__


def emulated(end: Lifecycle) -> dict[str, Any]:
    """Return what the emulator answers for a file job of three rows, one of which fails."""
    with Emulator() as emulator, httpx.Client(base_url=emulator.url, headers=KEY, timeout=120) as http:
        start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        start["X-Goog-Upload-Header-Content-Length"] = str(len(LINES))
        upload = http.post(
            "/upload/v1beta/files", headers=start, json={"file": {"mimeType": "application/jsonl"}}
        )
        sent = http.post(
            upload.headers["x-goog-upload-url"],
            headers={"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"},
            content=LINES,
        )
        emulator.script(JobScript(lifecycle=end, row_errors={"row-1": 3}))
        body = {
            "batch": {"displayName": "nightly-42", "inputConfig": {"fileName": sent.json()["file"]["name"]}}
        }
        job = http.post("/v1beta/models/gemini-2.5-flash:batchGenerateContent", json=body).json()
        answer: dict[str, Any] = http.get(f"/v1beta/{job['name']}").json()
        return answer


def test_a_running_job_is_read() -> None:
    job = gemini.read_job(transcript("running"))
    assert (job.state, job.done, job.display_name) == (JobState.RUNNING, False, "nightly-42")
    assert job.counts == JobCounts(total=3, succeeded=0, failed=0, pending=3)
    assert job.create_time is not None
    assert job.create_time.isoformat() == "2026-09-01T10:00:00.123456+00:00"


def test_a_finished_job_is_read() -> None:
    job = gemini.read_job(transcript("finished"))
    assert (job.state, job.done) == (JobState.SUCCEEDED, True)
    assert job.counts == JobCounts(total=3, succeeded=2, failed=1, pending=0)
    assert job.output.file_name == "files/batch-0ab1c2d3e4f5g6h7i8j9k0l1m2n3o4p5q6r7"


def test_the_emulator_answers_for_a_running_job_in_the_shape_of_the_service() -> None:
    assert shape(emulated(Lifecycle.stuck("RUNNING"))) == shape(transcript("running"))


def test_the_emulator_answers_for_a_finished_job_in_the_shape_of_the_service() -> None:
    # Captures of finished jobs differ in whether they echo the input; it is echoed for running ones.
    answer = emulated(Lifecycle.at_once())
    answer["metadata"].pop("inputConfig", None)
    assert shape(answer) == shape(transcript("finished"))
