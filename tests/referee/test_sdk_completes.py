"""Google's own SDK, in its two latest majors, gets through every batch and file call of the emulator."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from tests.referee.environments import referee_python

SCRIPT = Path(__file__).with_name("sdk_calls.py")
VERSIONS = (3, 2)
WAYS = ("sync", "async")
TABLE = "emulator-project.referee.requests"


def python_of(major: int) -> str:
    return os.environ.get(f"GENAI_REFEREE_PYTHON_{major}") or str(referee_python(major))


def made_by_the_sdk(
    major: int, backend: str, way: str, given: dict[str, Any], script: Path = SCRIPT
) -> dict[str, Any]:
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "")}
    done = subprocess.run(
        [python_of(major), str(script), backend, way, json.dumps(given)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[tuple[CloudStorage, BigQuery]]:
    with CloudStorage() as storage, BigQuery() as bigquery:
        storage.create_bucket("referee")
        bigquery.create_dataset("emulator-project.referee")
        request = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        for name in ("one", "two"):
            row = json.dumps({"key": f"key-{name}", "request": request}).encode()
            storage.write(f"gs://referee/{name}.jsonl", [row])
        vector = {"key": "v", "request": {"content": {"parts": [{"text": "hi"}]}}}
        storage.write("gs://referee/vectors.jsonl", [json.dumps(vector).encode()])
        rows = [{"id": f"id-{number}", "request": request} for number in range(2)]
        bigquery.create_and_insert(TABLE, [("id", "STRING"), ("request", "JSON")], rows)
        yield storage, bigquery


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("major", VERSIONS)
def test_the_sdk_completes_every_gemini_call(major: int, way: str) -> None:
    with Emulator() as emulator:
        found = made_by_the_sdk(major, "gemini", way, {"url": emulator.url})
        commands = [
            one["headers"]["x-goog-upload-command"]
            for one in emulator.requests
            if one["method"] == "files.upload"
        ]
        versions = {one["path"].split("/")[1] for one in emulator.requests if one["method"] == "batches.get"}
    assert found == {
        "inline": ["JOB_STATE_SUCCEEDED", ["Answer to: hi", "Answer to: ho"], [{"key": "a"}, {"key": "b"}]],
        "uploads": ["files/small-in", "ACTIVE", 0],
        "file": ["files/small-in", "small", True],
        "files": 3,
        "file_job": ["JOB_STATE_SUCCEEDED", [f"row-{number}" for number in range(9)], 4],
        "output_get": [400, "INVALID_ARGUMENT"],
        "embeddings": [[4, 4], 1.0],
        "embeddings_file": 8,
        "list": [None, None, None, "inline job"],
        "cancelled": "JOB_STATE_CANCELLED",
        "deleted": [404, "NOT_FOUND"],
        "file_deleted": [403, "PERMISSION_DENIED"],
        "unknown_model": [404, "NOT_FOUND"],
    }
    assert commands == ["upload, finalize", "upload", "upload, finalize", "upload, finalize"]
    assert versions == {"v1" if major == 3 else "v1beta"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("major", VERSIONS)
def test_the_sdk_completes_every_vertex_call(
    major: int, way: str, stand_ins: tuple[CloudStorage, BigQuery]
) -> None:
    storage, bigquery = stand_ins
    with Emulator(storage=storage, bigquery=bigquery) as emulator:
        given = {
            "url": emulator.url,
            "account": emulator.service_account_info(),
            "one": "gs://referee/one.jsonl",
            "two": "gs://referee/two.jsonl",
            "vectors": "gs://referee/vectors.jsonl",
            "dest": "gs://referee/out",
            "table": f"bq://{TABLE}{major}",
        }
        if not bigquery.table_exists(f"{TABLE}{major}"):
            rows = list(bigquery.rows(TABLE))
            bigquery.create_and_insert(f"{TABLE}{major}", [("id", "STRING"), ("request", "JSON")], rows)
        found = made_by_the_sdk(major, "vertex", way, given)
        directories = [
            one["output"]["directory"] for one in emulator.jobs if one["display_name"] == "from a list"
        ]
    table_out = found["bigquery"].pop()
    assert table_out.startswith(f"bq://{TABLE}{major}_dest_")
    assert [row["status"] for row in bigquery.rows(table_out.removeprefix("bq://"))] == ["", ""]
    mixed = f"{TABLE}{major}_{way[0]}out"
    assert [row["key"] for row in bigquery.rows(mixed)] == ["key-one"]
    keys = [
        json.loads(line)["key"]
        for uri, _ in storage.list(directories[0])
        for line in b"".join(storage.read(uri)).splitlines()
    ]
    assert sorted(keys) == ["key-one", "key-two"]
    assert found == {
        "gcs": ["JOB_STATE_SUCCEEDED", 1, "gs://referee/one/dest"],
        "gcs_list": ["JOB_STATE_SUCCEEDED", 2],
        "bigquery": ["JOB_STATE_SUCCEEDED", 2],
        "mixed": ["JOB_STATE_SUCCEEDED", f"bq://{mixed}"],
        "embeddings": ["JOB_STATE_SUCCEEDED", 1],
        "late_failure": ["JOB_STATE_FAILED", 9],
        "filter": ["from gs", "to a table"],
        "list": True,
        "cancelled": ["JOB_STATE_CANCELLED", 1],
        "cancel_again": [400, "FAILED_PRECONDITION"],
        "deleted": [True, [404, "NOT_FOUND"]],
        "unknown_model": [404, "NOT_FOUND"],
    }


@pytest.mark.parametrize("major", VERSIONS)
def test_a_state_the_sdk_has_not_heard_of_reaches_it(major: int) -> None:
    code = (
        "import sys; from google import genai; "
        "c = genai.Client(api_key='k', http_options={'base_url': sys.argv[1]}); "
        "j = c.batches.create(model='gemini-2.5-flash', src=[{'contents': 'hi'}]); "
        "[c.batches.get(name=j.name) for _ in range(2)]; "
        "print(c.batches.get(name=j.name).state.value)"
    )
    with Emulator() as emulator:
        emulator.script(JobScript(end="BATCH_STATE_HIBERNATING"))
        command = [python_of(major), "-c", code, emulator.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "BATCH_STATE_HIBERNATING", done.stderr[-2000:]
