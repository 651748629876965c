"""No credential leaves its Airflow connection: a real Airflow is run through good and bad, then searched.

Airflow's masking is off, so that a leak is not hidden by it, and everything logs at DEBUG.
"""

from __future__ import annotations

import json
import os
import re
import secrets as random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.sensors.genai_batch import GenAIBatchSensor
from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger
from tests.airflow_stack import AirflowStack, DagRun
from tests.airflow_stack.recorder import Exchange, Recorder, recorder
from tests.airflow_stack.secret_scan import Leak, Secrets, scan_database, scan_files, scan_texts
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

DAGS = Path(__file__).with_name("scanned_dags")
API_KEY = f"AIza{random.token_urlsafe(26)}"
WRONG_KEY = f"AIza{random.token_urlsafe(26)}"
HOUR = 3600
PATIENCE = 180
"""Seconds: at DEBUG, and with connections that have to be fetched, Airflow is slower than elsewhere."""
# Airflow keeps httpx quieter than all others, whatever its settings say; this is run first in every process.
_LOUD = """
import logging
httpx = logging.getLogger("httpx")
httpx.setLevel(logging.DEBUG)
httpx.setLevel = lambda level: None
"""
_ADD_CONNECTIONS = """
import json, sys
from airflow.models import Connection
from airflow.utils.session import create_session
with create_session() as session:
    session.add_all([Connection(**fields) for fields in json.load(sys.stdin)])
"""


@dataclass
class Scene:
    """A running Airflow, and everything that could be seen while it ran."""

    airflow: AirflowStack
    emulator: Emulator
    folder: Path
    fernet_key: str
    google: Recorder
    storage: Recorder
    account: dict[str, str]
    snapshots: list[Path] = field(default_factory=list)
    command_lines: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def start(self, dag_id: str, connection: str | None = None) -> DagRun:
        return self.airflow.client.trigger(dag_id, {"connection": connection} if connection else {})

    def finish(self, **runs: DagRun) -> None:
        """Wait for runs, noting how they ended and how processes call themselves meanwhile."""
        for name, run in runs.items():
            state = self.airflow.client.wait_for(run, PATIENCE, progress=lambda _: self.look_at_processes())
            self.states[name] = state
            self.take_snapshot()

    def look_at_processes(self) -> None:
        for pid in self.airflow.pids():
            try:
                self.command_lines.add(Path(f"/proc/{pid}/cmdline").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue

    def take_snapshot(self) -> None:
        """Copy the database: rows of triggers and of earlier attempts do not stay."""
        to = self.folder / f"snapshot{len(self.snapshots)}.db"
        with (
            closing(sqlite3.connect(self.home / "airflow.db", timeout=120)) as now,
            closing(sqlite3.connect(to)) as copy,
        ):
            now.backup(copy)
        self.snapshots.append(to)

    @property
    def exchanges(self) -> list[Exchange]:
        return [*self.google.exchanges, *self.storage.exchanges]

    def credentials(self) -> Secrets:
        """Return all that opens a door: what was configured, and what was handed out meanwhile."""
        found = Secrets()
        found.add("API key", API_KEY)
        found.add("wrong API key", WRONG_KEY)
        found.add_private_key(self.account["private_key"])
        for one in self.exchanges:
            scheme, _, token = one.headers.get("authorization", "").partition(" ")
            if scheme.lower() == "bearer":
                found.add("token", token)
            if urlsplit(one.target).path == "/token":
                found.add("signed assertion", parse_qs(one.body.decode())["assertion"][0])
                if token := json.loads(one.answer or b"{}").get("access_token"):
                    found.add("token", token)
        return found

    def upload_ids(self) -> Secrets:
        """Return the ids that open uploads; they are at home in the URLs of those."""
        found = Secrets()
        for one in self.exchanges:
            opened = one.answered.get("x-goog-upload-url") or one.answered.get("location") or ""
            for upload in parse_qs(urlsplit(opened).query).get("upload_id", ()):
                found.add("upload id", upload)
        return found

    def in_databases(self, secrets: Secrets) -> set[Leak]:
        return set().union(*(scan_database(path, self.fernet_key, secrets) for path in self.snapshots))

    def in_files(self, secrets: Secrets) -> set[Leak]:
        return scan_files(self.home, secrets) | scan_files(self.folder / "tmp", secrets)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, cloud_storage: CloudStorage) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("tmp", "first"):
        (folder / name).mkdir()
    (folder / "first" / "sitecustomize.py").write_text(_LOUD)
    line = {"key": "a", "request": {"contents": [{"role": "user", "parts": [{"text": "Name a river."}]}]}}
    (folder / "requests.jsonl").write_text(json.dumps(line) + "\n")
    fernet_key = Fernet.generate_key().decode()
    variables = {
        "SCANNED_FOLDER": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "AIRFLOW__CORE__FERNET_KEY": fernet_key,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder / "first"), os.environ.get("PYTHONPATH")])),
        # No process is killed here but triggerers; on a busy machine a task may be silent for a while.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
        # No masking: neither by the names of fields, nor of any secret shorter than this.
        "AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS": "False",
        "AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET": "1000000",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    }
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(storage=cloud_storage, api_keys=[API_KEY]))
        google = stack.enter_context(recorder(emulator.url))
        storage = stack.enter_context(recorder(cloud_storage.url))
        airflow = stack.enter_context(AirflowStack(folder / "home", DAGS, variables))
        account = emulator.service_account_info()
        running = Scene(airflow, emulator, folder, fernet_key, google, storage, account)
        _add_connections(running)
        _live(running)
        yield running


def _add_connections(scene: Scene) -> None:
    """Keep the connections where most people keep them: in the database."""
    gemini, vertex = scene.emulator.connection("gemini"), scene.emulator.connection("vertex")
    broken = {**vertex["extra"]["keyfile_dict"]}
    # As pasted by somebody who lost a line of it.
    broken["private_key"] = re.sub(r"\n.{64}\n", "\n", broken["private_key"], count=1)
    fields = {
        "scanned_gemini": gemini,
        "scanned_vertex": {**vertex, "extra": json.dumps(vertex["extra"])},
        "wrong_key": {**gemini, "password": WRONG_KEY},
        "broken_account": {**vertex, "extra": json.dumps({**vertex["extra"], "keyfile_dict": broken})},
    }
    text = json.dumps([{"conn_id": name, **one} for name, one in fields.items()])
    text = text.replace(scene.emulator.url, scene.google.url)
    text = text.replace(scene.emulator.storage_url, scene.storage.url)
    subprocess.run(
        [sys.executable, "-c", _ADD_CONNECTIONS],
        env=scene.airflow.environment,
        input=text,
        text=True,
        check=True,
        capture_output=True,
    )


def _live(scene: Scene) -> None:
    """Run through success, failure, retry, deferral and the death of a triggerer."""
    _deferred_for_an_hour(scene)
    faults = scene.emulator.faults
    faults.add("files.upload", Fault.lost_chunk())
    faults.add("batches.get", Fault.error(503))
    faults.add("batches.create", Fault.error(400, "no", path="gemini-2.5-flash:"))
    faults.add("oauth.token", Fault.error(400, "no"))
    scene.finish(
        gemini_retried=scene.start("gemini_in_place"),
        vertex_retried=scene.start("vertex_in_place"),
        wrong_key=scene.start("gemini_deferred", "wrong_key"),
        broken_account=scene.start("vertex_in_place", "broken_account"),
        gemini_sensed=scene.start("gemini_sensed"),
        vertex_sensed=scene.start("vertex_sensed"),
    )
    for _ in range(2):  # the retry asks the failed rows again
        scene.emulator.script(JobScript(all_rows_fail=13), backend="gemini")
    faults.add("batchPredictionJobs.create", Fault.lost_reply())
    scene.finish(rows_failed=scene.start("gemini_in_place"), reply_lost=scene.start("vertex_in_place"))


def _deferred_for_an_hour(scene: Scene) -> None:
    for backend in ("gemini", "vertex"):
        lifecycle = Lifecycle.timed(pending=0, running=HOUR)
        scene.emulator.script(JobScript(lifecycle=lifecycle), backend=backend)
    runs = {name: scene.start(name) for name in ("gemini_deferred", "vertex_deferred")}
    for run in runs.values():
        scene.airflow.wait_for_deferral(run, "answer")
    scene.look_at_processes()
    scene.take_snapshot()
    scene.airflow.kill("triggerer0")
    seen = [job["looks"] for job in scene.emulator.jobs]
    scene.airflow.start("triggerer0")
    wait_until(
        lambda: all(job["looks"] > looks for job, looks in zip(scene.emulator.jobs, seen, strict=True)),
        "the new triggerer looks at both jobs",
        PATIENCE,
    )
    scene.take_snapshot()
    scene.emulator.clock.advance(HOUR)
    scene.finish(**runs)


def test_the_runs_went_through_good_and_bad(scene: Scene) -> None:
    bad = {name for name, state in scene.states.items() if state == "failed"}
    assert bad == {"rows_failed", "wrong_key", "broken_account"}
    assert len(scene.states) == 10
    kinds = {"API key", "wrong API key", "private key", "signed assertion", "token"}
    assert scene.credentials().names == kinds
    assert scene.upload_ids().names == {"upload id"}


def test_what_is_no_secret_is_found_where_it_belongs(scene: Scene) -> None:
    job = Secrets()
    job.add("name of a job", scene.emulator.jobs[0]["name"])
    assert {"trigger.kwargs", "xcom.value"} <= {leak.where for leak in scene.in_databases(job)}
    assert any("task_id=answer" in leak.where for leak in scene.in_files(job))


@pytest.mark.parametrize("where", ["attempt=*.log", "triggerer*.log"], ids=["tasks", "looks of all triggers"])
def test_http_was_logged_to_the_last_header(scene: Scene, where: str) -> None:
    logs = b"".join(path.read_bytes() for path in scene.home.rglob(where))
    for said in (
        b"HTTP Request: GET",
        b"send_request_headers.complete",
        b"receive_response_headers.complete",
    ):
        assert said in logs


def test_no_credential_is_in_the_database(scene: Scene) -> None:
    assert scene.in_databases(scene.credentials()) == set()


def test_no_credential_is_in_a_log_or_another_file(scene: Scene) -> None:
    assert scene.in_files(scene.credentials()) == set()


def test_no_upload_url_is_in_the_database(scene: Scene) -> None:
    assert scene.in_databases(scene.upload_ids()) == set()


def test_no_upload_url_is_in_a_log_or_another_file(scene: Scene) -> None:
    assert scene.in_files(scene.upload_ids()) == set()


def test_no_credential_is_in_a_url(scene: Scene) -> None:
    targets = [one.target for one in scene.exchanges]
    assert any("upload_id" in target for target in targets)
    assert scan_texts(targets, "URL", scene.credentials()) == set()


def test_no_credential_is_in_a_command_line(scene: Scene) -> None:
    assert any("answer" in line or "LocalExecutor" in line for line in scene.command_lines)
    assert scan_texts(scene.command_lines, "command line", scene.credentials()) == set()


def test_nothing_public_shows_a_credential_when_it_is_printed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = emulator.service_account_info()
    connections = {
        "gemini": {**emulator.connection("gemini"), "password": API_KEY},
        "vertex": emulator.connection("vertex"),
    }
    secrets = Secrets()
    secrets.add("API key", API_KEY)
    secrets.add_private_key(account["private_key"])
    for name, fields in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
        hook = GenAIBatchHook(name)
        with hook.get_conn() as client:
            things = [
                hook,
                hook.config(),
                hook.test_connection(),
                client,
                client.calls,
                GenAIBatchOperator(task_id="t", model="m", src=["a"], conn_id=name),
                GenAIBatchSensor(task_id="s", job_names="batches/a", conn_id=name),
                GenAIBatchTrigger(name, ["batches/a"], {}).serialize(),
            ]
            shown = [text for thing in things for text in (repr(thing), str(thing))]
            # As a debugger shows them.
            shown += [repr(vars(hook)), repr(vars(client)), repr(vars(client.calls))]
        assert scan_texts(shown, name, secrets) == set()


# The last one: from here on there are leaks.
def test_secrets_that_are_planted_are_found_wherever_they_are(scene: Scene) -> None:
    run = scene.start("leaks")
    scene.airflow.client.wait_for_task(run, "wait", "deferred", PATIENCE)
    scene.airflow.client.wait_for_task(run, "leak", "success", PATIENCE)
    planted = scene.folder / "planted.db"
    scene.take_snapshot()
    scene.snapshots.pop().rename(planted)
    scene.airflow.client.call("PATCH", run.path, json={"state": "failed"})
    places = {leak.where for leak in scan_database(planted, scene.fernet_key, scene.credentials())}
    assert {"xcom.value", "rendered_task_instance_fields.rendered_fields", "trigger.kwargs"} <= places
    logs = scan_files(scene.home / "logs", scene.credentials())
    assert [leak.what for leak in logs if "task_id=leak" in leak.where] == ["API key"]
