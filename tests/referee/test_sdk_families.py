"""Google's own SDK completes jobs of every family that it can say, and its types read every kind of answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.emulator.bodies import CLAUDE, LLAMA, chat, claude
from tests.emulator.talk import Vertex, lines, question
from tests.referee.test_sdk_completes import VERSIONS, python_of

SCRIPT = Path(__file__).with_name("sdk_families.py")
PICTURES, SPEECH = "gemini-2.5-flash-image", "gemini-2.5-flash-preview-tts"
FUNCTION = {"name": "person", "parameters": {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}}}
CALL = {"functionCallingConfig": {"mode": "ANY"}}
SEARCH = {
    "googleSearch": {
        "timeRangeFilter": {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-02-01T00:00:00Z"}
    }
}
REQUESTS = [
    (
        PICTURES,
        question("a", generationConfig={"responseModalities": ["TEXT", "IMAGE"]}),
        ["text", "inline_data"],
    ),
    (SPEECH, question("a", generationConfig={"responseModalities": ["AUDIO"]}), ["inline_data"]),
    (
        "gemini-3-flash",
        question("a", tools=[{"functionDeclarations": [FUNCTION]}], toolConfig=CALL),
        ["function_call"],
    ),
    ("gemini-3-flash", question("a", tools=[SEARCH]), ["text"]),
    (
        "gemini-2.5-flash",
        question("a", generationConfig={"candidateCount": 2, "responseLogprobs": True, "logprobs": 2}),
        ["text"],
    ),
    (
        "gemini-2.5-flash",
        question("a", generationConfig={"thinkingConfig": {"includeThoughts": True}}),
        ["text", "text"],
    ),
]


@pytest.fixture(scope="module")
def storage() -> Iterator[CloudStorage]:
    with CloudStorage() as running:
        yield running


def answered(storage: CloudStorage, jobs: Vertex) -> list[dict[str, Any]]:
    """Have the emulator answer every request, in a job for each."""
    responses = []
    for at, (model, request, _) in enumerate(REQUESTS):
        uri = f"gs://emulator-staging/read/{at}.jsonl"
        storage.write(uri, [lines([{"key": "a", "request": request}])])
        ended = jobs.run(uri, f"gs://emulator-staging/read/{at}", model=model)
        ((name, _size),) = storage.list(ended["outputInfo"]["gcsOutputDirectory"] + "/")
        row = json.loads(b"".join(storage.read(name)))
        assert not row["status"], row["status"]
        responses.append(row["response"])
    return responses


@pytest.mark.parametrize("major", VERSIONS)
def test_the_sdk_completes_jobs_of_other_families_and_reads_every_answer(
    major: int, storage: CloudStorage
) -> None:
    with Emulator(storage=storage) as emulator, Vertex(emulator.url) as jobs:
        rows = {
            "claude": [claude("a")],
            "llama": [chat("a")],
            "pictures": [{"key": "a", "request": REQUESTS[0][1]}],
        }
        for name, given in rows.items():
            storage.write(f"gs://emulator-staging/{name}.jsonl", [lines(given)])
        models = {"claude": CLAUDE, "llama": LLAMA, "pictures": PICTURES}
        created = {
            name: [model, f"gs://emulator-staging/{name}.jsonl", f"gs://emulator-staging/{major}/{name}"]
            for name, model in models.items()
        }
        picture = {"contents": "a lake", "config": {"response_modalities": ["TEXT", "IMAGE"]}}
        voice = {"contents": "hello", "config": {"response_modalities": ["AUDIO"]}}
        asked = {
            "vertex": {"url": emulator.url, "account": emulator.service_account_info(), "jobs": created},
            "gemini": {
                "url": emulator.url,
                "inline": {"picture": [PICTURES, picture], "voice": [SPEECH, voice]},
            },
            "responses": answered(storage, jobs),
        }
        done = subprocess.run(
            [python_of(major), str(SCRIPT), json.dumps(asked)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["vertex"] == {
        "claude": ["JOB_STATE_SUCCEEDED", CLAUDE, 1],
        "llama": ["JOB_STATE_SUCCEEDED", LLAMA, 1],
        "pictures": ["JOB_STATE_SUCCEEDED", f"publishers/google/models/{PICTURES}", 1],
    }
    assert found["gemini"] == {"picture": ["text", "image/png"], "voice": ["audio/L16;codec=pcm;rate=24000"]}
    assert found["read"] == [kinds for _, _, kinds in REQUESTS]
