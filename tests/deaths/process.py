"""What runs in a process of a task's life: an attempt from its begin, a wait on the triggerer, or what follows it."""

from __future__ import annotations

import json
import logging
import sys
import urllib.request
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient, GoogleCredentials
from airflow_provider_genai_batch.emulator.clock import VirtualClock
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.flows.watch import WaitPlan
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import task_key
from airflow_provider_genai_batch.task.attempt import TaskAttempt
from airflow_provider_genai_batch.task.jobs.watcher import JobWatcher
from airflow_provider_genai_batch.task.journal import writer
from airflow_provider_genai_batch.task.port import Owner
from airflow_provider_genai_batch.task.rounds.online import round as online
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.testing import SharedClock
from tests.deaths.steps import Steps
from tests.task.plain_task import Deferred, PlainTask

CALLS, LINES = 2, 2
"""Calls under way, and lines of a part of a journal: small, so that few requests show what is lost."""
ATTEMPT, WAIT, COMPLETE = "attempt", "wait", "complete"
DONE, DEFERRED, FAILED = 0, 3, 4
"""How a process ends that is not killed."""


@dataclass(frozen=True)
class Given:
    """What a process has to know.

    Attributes:
        kind: of the process: `ATTEMPT`, `WAIT` or `COMPLETE`.
        number: of the process in the task's life.
        attempt: Airflow's try, from 0 on.
        dies_at: see `Steps`.
        config: of the connection, see `client_of`.
        others: likewise of other connections, by name.
        settings: of the operator; ``src`` is what its source returns.
        run: of the task instance.
        folder: where it keeps what outlives it, as Airflow's database does.
        control: the emulator's address.
        spared: it dies at the first step that is not among these; None: only at `dies_at`.
    """

    kind: str
    number: int
    attempt: int
    dies_at: int
    config: Mapping[str, Any]
    others: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    run: str
    folder: Path
    control: str
    spared: frozenset[str] | None = None


class _Clock(VirtualClock):
    """The emulator's clock, moved from another process."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_emulator/clock"
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        now = json.loads(self._open(self._url, timeout=60).read())["now"]
        super().__init__(start=datetime.fromtimestamp(now, timezone.utc))

    def advance(self, seconds: float) -> None:
        body = json.dumps({"advance": seconds}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        self._open(request, timeout=60).read()
        super().advance(seconds)


@dataclass
class _Keeper:
    """Keeps the records of one job in a file, as Airflow keeps them in its state store."""

    path: Path
    steps: Steps

    def read(self) -> Record | None:
        records = self.steps.around("reading a note", self.read_all)
        return records[-1] if records else None

    def read_all(self) -> list[Record]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [Record.from_dict(json.loads(line)) for line in lines]

    def write(self, record: Record) -> bool:
        def append() -> None:
            with self.path.open("a") as out:
                out.write(json.dumps(record.as_dict()) + "\n")

        self.steps.around("keeping a note", append)
        return True


@dataclass
class _Keepers:
    folder: Path
    steps: Steps
    round: int

    def expect(self, jobs: int) -> None:
        """Take no note: what is kept here is as many as there are."""

    def at(self, number: int) -> _Keeper:
        return _Keeper(self.folder / f"note-{self.round}-{number}.jsonl", self.steps)


@dataclass
class _Task(PlainTask):
    folder: Path = field(default_factory=Path)
    steps: Steps | None = None

    def records(self, round_: int) -> Any:
        return _Keepers(self.folder, self.steps, round_)  # type: ignore[arg-type]


def client_of(config: Mapping[str, Any]) -> GenAIBatchClient:
    """Connect, with what can be sent to another process."""
    given = dict(config)
    if "account" in given:
        given["google"] = GoogleCredentials(keyfile_dict=given.pop("account"))
    return GenAIBatchClient(ClientConfig(**{**given, "backend": Backend(given["backend"])}))


def live(given: Given) -> None:
    """Run the process to its end."""
    logging.disable(logging.CRITICAL)
    online.MAX_CALLS = CALLS
    online.PART_LINES = writer.PART_LINES = LINES
    steps = Steps(given.folder / f"steps-{given.number}", given.dies_at, given.spared)
    with clock.replaced(SharedClock(_Clock(given.control))):
        steps.cut()
        steps.reach(f"{given.kind}: begins")
        try:
            with client_of(given.config) as client:
                _run(given, client, steps)
        except Deferred:
            sys.exit(DEFERRED)
        except GenAIBatchError as error:
            (given.folder / f"error-{given.number}").write_text(f"{type(error).__name__}: {error}")
            sys.exit(FAILED)
        steps.reach(f"{given.kind}: ends")
    sys.exit(DONE)


def _wait(given: Given, client: GenAIBatchClient) -> None:
    left = json.loads((given.folder / "deferral.json").read_text())
    event: dict[str, Any] = {"memo": left["memo"]}
    other = given.others.get(left["conn_id"])
    if isinstance(left["until"], dict):
        plan = WaitPlan.from_dict(left["until"])
        with nullcontext(client) if other is None else client_of(other) as its:
            ending = JobWatcher(its, lambda _conn_id: nullcontext(its)).wait(left["names"], plan)
        event |= {**ending.as_dict(), "job_names": left["names"]}
    else:
        clock.sleep(max(0.0, left["until"] - clock.time()))
    (given.folder / "event.json").write_text(json.dumps(event))


def _run(given: Given, client: GenAIBatchClient, steps: Steps) -> None:
    if given.kind == WAIT:
        _wait(given, client)
        return
    settings = dict(given.settings)
    src = settings.pop("src")
    owner = Owner(task_key("etl", "ask", given.run, -1, None), "etl.ask", {}, None)
    task = _Task(
        is_first_try=given.attempt == 0,
        owner=owner,
        folder=given.folder,
        steps=steps,
        open_other=lambda conn_id: client_of(given.others[conn_id]),
    )
    attempt = TaskAttempt(RunSettings(conn_id="any", source=lambda: src, **settings), task, client)
    try:
        if given.kind == ATTEMPT:
            manifest = attempt.run(Attempt(look_first=given.attempt > 0))
        else:
            event = json.loads((given.folder / "event.json").read_text())
            manifest = attempt.complete(event) if "job_names" in event else attempt.resume(event["memo"])
    except Deferred as left:
        until = left.until.as_dict() if isinstance(left.until, WaitPlan) else left.until
        kept = {"names": left.names, "memo": dict(left.memo), "until": until, "conn_id": task.conn_id}
        (given.folder / "deferral.json").write_text(json.dumps(kept))
        raise
    (given.folder / "manifest.json").write_text(json.dumps(manifest))
