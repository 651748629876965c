"""State in a directory outlives the process, kill -9 included."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle, VirtualClock
from tests.emulator.talk import PLAIN, Gemini, Vertex, good, keyed, lines
from tests.waiting import wait_until, wait_until_gone

GRANULE = 262144
COMMAND = [sys.executable, "-m", "airflow_provider_genai_batch.emulator", "--port", "0"]


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the emulator as a user does; give its process and URL."""
    started = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout
        yield started, started.stdout.readline().strip()
    finally:
        started.kill()
        started.wait(120)
        started.stdout.close()


def alone(directory: Path) -> list[str]:
    return ["--no-storage", "--no-bigquery", "--directory", str(directory), "--looks", "1"]


def test_everything_is_there_after_a_kill(tmp_path: Path):
    with process(*alone(tmp_path)) as (first, url), Gemini(url) as api:
        name = api.upload(lines(keyed(3)), "files/kept")
        waiting = api.from_file(name, displayName="waiting")["name"]
        ended = api.ended(api.from_file(name)["name"])
        gone = api.inline("x")["name"]
        api.delete(gone)
        data = b"x" * (2 * GRANULE)
        upload = api.start(len(data), "files/half")
        api.send(upload, data[:GRANULE], last=False)
        good(api.http.post("/_emulator/clock", json={"advance": 1000}))
        key = good(api.http.get("/_emulator/connection/vertex"))["extra"]["keyfile_dict"]["private_key"]
        os.kill(first.pid, signal.SIGKILL)
        first.wait(120)
    with process(*alone(tmp_path)) as (_, url), Gemini(url) as api:
        assert api.get("files/kept")["name"] == "files/kept"
        assert {row["key"] for row in api.rows(ended)} == {"row-0", "row-1", "row-2"}
        again = api.get(ended["name"])
        assert again == ended
        assert api.ended(waiting)["metadata"]["displayName"] == "waiting"
        assert api.http.get(f"/v1beta/{gone}").status_code == 404
        upload = url + upload[upload.index("/upload/") :]
        assert api.command(upload, "query").headers["x-goog-upload-size-received"] == str(GRANULE)
        assert good(api.send(upload, data[GRANULE:], GRANULE))["file"]["name"] == "files/half"
        newest = good(api.http.get("/v1beta/files"))["files"]
        assert [one["name"] for one in newest] == ["files/half", "files/kept"]
        assert good(api.http.get("/_emulator/clock"))["offset"] == 1000
        assert (
            good(api.http.get("/_emulator/connection/vertex"))["extra"]["keyfile_dict"]["private_key"] == key
        )
        names = [one["name"] for one in good(api.http.get("/_emulator/jobs"))["jobs"]]
        assert names == [waiting, ended["name"], gone]


def test_a_script_goes_on_where_it_was(tmp_path: Path):
    with Emulator(directory=tmp_path) as emulator, Gemini(emulator.url) as api:
        emulator.script(JobScript(lifecycle=Lifecycle(looks=3), row_errors={0: 8}))
        name = api.inline("a")["name"]
        api.get(name)
        api.get(name)
    with Emulator(directory=tmp_path) as emulator, Gemini(emulator.url) as api:
        shown = [api.get(name) for _ in range(2)]
    assert [one["metadata"]["state"] for one in shown] == ["BATCH_STATE_RUNNING", "BATCH_STATE_SUCCEEDED"]
    assert shown[1]["metadata"]["batchStats"]["failedRequestCount"] == "1"


def test_tokens_stay_good_across_a_restart(tmp_path: Path):
    with Emulator(directory=tmp_path, clock=VirtualClock()) as emulator:
        emulator.service_account_info()
        assert emulator._tokens
        token = emulator._tokens.issue("")
    with Emulator(directory=tmp_path) as emulator, Vertex(emulator.url, token) as jobs:
        assert jobs.list() == {}


def test_one_clock_serves_one_emulator_after_another(tmp_path: Path):
    clock = VirtualClock()
    for _ in range(2):
        with Emulator(directory=tmp_path, clock=clock) as emulator, Gemini(emulator.url) as api:
            api.inline("a")
            clock.advance(10)
    clock.advance(10)
    assert clock.offset_ns == 30 * 10**9


def test_stand_ins_started_here_keep_what_they_hold(tmp_path: Path):
    for life in ("first", "second"):
        with Emulator(directory=tmp_path, storage=True) as emulator, Vertex(emulator.url) as jobs:
            if life == "first":
                emulator.storage.write("gs://emulator-staging/in.jsonl", [lines(keyed(2))])
                name = jobs.create("gs://emulator-staging/in.jsonl", "gs://emulator-staging/out")["name"]
            else:
                ended = jobs.ended(name)
                assert ended["completionStats"] == {"successfulCount": "2"}
                assert len(emulator.storage.list(ended["outputInfo"]["gcsOutputDirectory"])) == 1


def test_without_a_directory_nothing_is_left_behind():
    with Emulator() as emulator:
        folder = emulator._world.blobs.parent
        assert folder.exists()
    assert not folder.exists()


def test_what_it_prints_is_what_was_asked_for() -> None:
    def printed(*options: str) -> list[str]:
        command = ["--at-once", "--no-bigquery", *options]
        with process(*command) as (running, _):
            assert running.stdout
            running.send_signal(signal.SIGTERM)
            return re.findall(r"^export (\w+)=", running.stdout.read(), re.MULTILINE)

    google = "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT"
    assert printed("--no-storage") == ["AIRFLOW_CONN_GENAI_BATCH_DEFAULT"]
    connections = ["AIRFLOW_CONN_GENAI_BATCH_DEFAULT", "AIRFLOW_CONN_GENAI_BATCH_VERTEX", google]
    assert printed() == ["STORAGE_EMULATOR_HOST", *connections]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_stops_cleanly_and_takes_its_stand_ins_along(number: signal.Signals):
    with process("--no-bigquery", "--at-once") as (running, url):
        assert running.stdout
        line = running.stdout.readline().strip()
        storage = line.removeprefix("export STORAGE_EMULATOR_HOST=")
        connection = running.stdout.readline().strip()
        assert connection.startswith("export AIRFLOW_CONN_GENAI_BATCH_DEFAULT=")
        assert json.loads(connection.split("=", 1)[1].strip("'"))["host"] == url
        with httpx.Client(**PLAIN) as client:
            assert client.get(f"{url}/_emulator/health").json() == {"status": "ok"}
            assert client.get(f"{storage}/storage/v1/b/emulator-staging").status_code == 200
            with Gemini(url) as api:
                assert api.get(api.inline("a")["name"])["done"] is True
            running.send_signal(number)
            assert running.wait(120) == 0
            for address in (url, storage):
                with pytest.raises(httpx.TransportError):
                    client.get(address)


def test_killing_the_command_line_leaves_no_orphan():
    with process("--no-bigquery") as (running, url):
        assert url
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert children
        os.kill(running.pid, signal.SIGKILL)
        running.wait(120)
        for child in children:
            wait_until_gone(int(child))


def test_the_clock_of_the_command_line_moves_jobs():
    with (
        process("--no-storage", "--no-bigquery", "--pending", "60", "--running", "60") as (_, url),
        Gemini(url) as api,
    ):
        name = api.inline("a")["name"]
        assert api.get(name)["metadata"]["state"] == "BATCH_STATE_PENDING"
        good(api.http.post("/_emulator/clock", json={"advance": 200}))
        wait_until(lambda: api.get(name).get("done"), "the job has ended")
