"""The life of a task: one process after another until it has its rows, and what has to hold then."""

from __future__ import annotations

import json
import multiprocessing
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator import Emulator, VirtualClock
from airflow_provider_genai_batch.emulator.emulator import STAGING_BUCKET
from tests.client.places import KEY, PROJECT
from tests.deaths.process import ATTEMPT, CALLS, COMPLETE, DEFERRED, DONE, LINES, WAIT, Given, client_of, live
from tests.deaths.ways import Way
from tests.emulator.test_bigquery import client_of as client_of_tables

_MOST = 30
"""Processes of one life."""
_SECONDS = 300.0
"""For one process, on a machine that is busy."""
_NUMBERS = count(1)
BEGIN = datetime(2026, 11, 29, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Death:
    """A process that was killed: which, and at which step."""

    kind: str
    step: str

    def __str__(self) -> str:
        """Name it as the page does."""
        return f"{self.kind}: {self.step}" if not self.step.startswith(self.kind) else self.step


@dataclass
class Life:
    """What became of a task.

    Attributes:
        way: how it asks.
        plan: at which step each process was to die; 0: at none.
        deaths: that came.
        steps: of each process.
        broken: what was promised and did not hold.
        lost: requests without their one good row.
        twice: answers that were paid beyond the first.
        at_risk: how many may be, by the calls under way and lines not written at each death.
    """

    way: Way
    plan: Sequence[int]
    deaths: list[Death] = field(default_factory=list)
    steps: list[list[str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    lost: int = 0
    twice: int = 0
    at_risk: int = 0


class Model:
    """Answers the same to the same, and counts what it was asked."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, request: Mapping[str, Any]) -> str:
        """Answer."""
        text: str = request["contents"][0]["parts"][0]["text"]
        with self._lock:
            self.answers[text] += 1
        return f"{text}!"


class Service:
    """The emulator, and what it was asked in the life that goes on."""

    def __init__(self, emulator: Emulator, model: Model, folder: Path) -> None:
        self.emulator, self.folder, self.answers = emulator, folder, model.answers

    def config(self, backend: str) -> dict[str, Any]:
        """Return a connection that can be sent to another process."""
        found: dict[str, Any] = {"backend": backend, "host": self.emulator.url}
        if backend == "gemini":
            return {**found, "api_key": KEY}
        return {
            **found,
            "project": PROJECT,
            "location": "us-central1",
            "account": self.emulator.service_account_info(),
            "storage_endpoint": self.emulator.storage_url,
            "staging_uri": f"gs://{STAGING_BUCKET}/deaths/",
            "bigquery_endpoint": self.emulator.bigquery_url,
        }


class Running:
    """One life."""

    def __init__(self, service: Service, way: Way, plan: Sequence[int] = ()) -> None:
        self.service, self.way = service, way
        self.number = next(_NUMBERS)
        self.folder = service.folder / f"life-{self.number}"
        self.folder.mkdir()
        self.life = Life(way, [*plan])
        self.config = service.config(way.backend)
        self.others = {conn_id: service.config(backend) for conn_id, backend in way.others.items()}
        place = f"gs://{STAGING_BUCKET}/lives/{self.number}" if way.backend == "vertex" else str(self.folder)
        self.results = f"{place}/rows.jsonl"
        self.table = f"{PROJECT}.deaths.t{self.number}"

    def run(self) -> Life:
        """Let the task live until it has its rows."""
        service, way = self.service, self.way
        if way.night_before:
            self._lay_out_the_night_before()
        service.answers.clear()
        for script in way.scripts:
            service.emulator.script(script, backend=way.backend)
        settings = self._settings()
        self._go(settings, [*self.life.plan])
        if not self.life.broken:
            self._check()
        service.emulator.clear_requests()
        return self.life

    def _settings(self) -> dict[str, Any]:
        way, now = self.way, self.service.emulator.clock.now_ns() / 1e9
        settings = way.settings_at(now)
        if not way.table:
            return {**settings, "src": [*way.src], "results_uri": self.results}
        tables = self.service.emulator.bigquery
        rows = [{"id": row["key"], "text": row["contents"]} for row in way.src]
        tables.create_and_insert(self.table, [("id", "STRING"), ("text", "STRING")], rows)
        return {**settings, "src": f"bq://{self.table}", "dest": f"bq://{self.table}_out"}

    def _lay_out_the_night_before(self) -> None:
        """Put what a night before has landed where this one finds it; that night ran once for all lives of its kind."""
        if self.way.table:
            self._lay_out_the_table_before()
            return
        kept = self.service.folder / f"{self.way.backend}-night-before.jsonl"
        if not kept.exists():
            before = Way("the night before", {"reuse": True}, self.way.backend, src=self.way.night_before)
            running = Running(self.service, before)
            life = running.run()
            assert not life.broken, life.broken
            kept.write_bytes(running.data())
        with client_of(self.config) as client:
            if self.way.backend == "gemini":
                Path(self.results).write_bytes(kept.read_bytes())
            else:
                client.upload(kept, self.results)

    def _lay_out_the_table_before(self) -> None:
        """Put what a night before has landed into the table that this one replaces."""
        kept = self.service.folder / "table-before"
        if not kept.exists():
            asked = {"prompt": "{text}", "key": "id", "reuse": True}
            before = Way("the night before", asked, "vertex", src=self.way.night_before, table=True)
            running = Running(self.service, before)
            life = running.run()
            assert not life.broken, life.broken
            kept.write_text(f"{running.table}_out")
        with closing(client_of_tables(self.service.emulator.bigquery)) as google:
            google.query(f"CREATE TABLE `{self.table}_out` CLONE `{kept.read_text()}`").result()

    def _go(self, settings: Mapping[str, Any], plan: list[int]) -> None:
        kind, attempt = ATTEMPT, 0
        for number in range(_MOST):
            dies_at = plan.pop(0) if plan else 0
            given = Given(
                kind, number, attempt, dies_at, self.config, self.others, settings, f"run {self.number}", self.folder,
                self.service.emulator.url,
            )  # fmt: skip
            before = self._kept()
            status = run_process(given)
            steps = (self.folder / f"steps-{number}").read_text().splitlines()
            self.life.steps.append(steps)
            self._see_what_was_kept_is_not_asked(before)
            if status == -signal.SIGKILL:
                self.life.deaths.append(Death(kind, steps[-1]))
                self.life.at_risk += CALLS + LINES if self.way.at_once else 0
                if (
                    kind != WAIT
                ):  # another triggerer takes the trigger over; an attempt is followed by the next
                    kind, attempt = ATTEMPT, attempt + 1
            elif status == DEFERRED:
                kind = WAIT
            elif status == DONE and kind == WAIT:
                kind = COMPLETE
            elif status == DONE:
                return
            else:
                error = self.folder / f"error-{number}"
                said = error.read_text() if error.exists() else f"exit status {status}"
                self.life.broken.append(f"an attempt that nobody disturbed failed: {said}")
                return
        self.life.broken.append(f"it had no end after {_MOST} processes")

    def data(self) -> bytes:
        """Return the bytes of the rows."""
        with client_of(self.config) as client:
            return (
                b"".join(client.download(self.results))
                if "://" in self.results
                else Path(self.results).read_bytes()
            )

    def _rows(self) -> dict[str, dict[str, Any]]:
        if self.way.table:
            found = list(self.service.emulator.bigquery.rows(f"{self.table}_out"))
            lines = [{"key": row["id"], "status": row["row_status"], "text": row["answer"]} for row in found]
        else:
            lines = [json.loads(line) for line in self.data().splitlines()]
        self._promise(len({line["key"] for line in lines}) == len(lines), "a key has two rows")
        return {line["key"]: line for line in lines}

    def _kept(self) -> dict[str, int]:
        """Return how often each text was asked that stands in the journal by now."""
        if not self.way.at_once or self.way.backend != "gemini":
            return {}
        lines = [
            line
            for part in self.folder.glob("_journal-*/*.answers")
            for line in part.read_text().splitlines()
        ]
        keys = {json.loads(line).get("key") for line in lines}
        return {
            row["contents"]: self.service.answers[row["contents"]]
            for row in self.way.src
            if row["key"] in keys
        }

    def _see_what_was_kept_is_not_asked(self, before: Mapping[str, int]) -> None:
        again = {text for text, times in before.items() if self.service.answers[text] > times}
        self._promise(not again, f"{again} had answers in the journal and were asked again")

    def _check(self) -> None:
        """See that all that is promised holds at the end."""
        way, life = self.way, self.life
        found = self._rows()
        manifest: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text())
        counts = manifest["counts"]
        self._promise(counts["ok"] == counts["total"] == len(way.src), f"counts are {counts}")
        self._promise(found.keys() == {row["key"] for row in way.src}, f"rows are {sorted(found)}")
        for row in way.src:
            one = found.get(row["key"], {})
            right = (one.get("status"), one.get("text")) == ("ok", f"{row['contents']}!")
            life.lost += not right
            self._promise(right, f"{row['key']} is {one}")
        asked, answers = way.asked, self.service.answers
        self._promise(
            not answers.keys() - asked.keys(), f"asked what was at hand: {answers.keys() - asked.keys()}"
        )
        lost = {text: asked[text] - answers[text] for text in asked if answers[text] < asked[text]}
        self._promise(not lost, f"never asked: {lost}")
        life.twice = sum((answers - asked).values())
        self._promise(
            life.twice <= life.at_risk, f"{life.twice} paid twice, {life.at_risk} were at risk: {answers}"
        )
        if "fallbacks" in way.settings:
            others = manifest["tiers"].keys() - {"batch"} if way.at_once else manifest["answered_by"][1:]
            self._promise(others, f"no fallback was asked: {manifest}")
        mine = [job for job in self.service.emulator.jobs if job["live"]]
        self._promise(not mine, f"jobs go on: {[job['name'] for job in mine]}")
        left = [path.name for path in self.folder.iterdir() if ".asked-" in path.name]
        self._promise(not left, f"files are left: {left}")

    def _promise(self, kept: object, otherwise: str) -> None:
        if not kept:
            self.life.broken.append(otherwise)


def run_process(given: Given, seconds: float = _SECONDS) -> int:
    """Run a process to its end; return its exit status, or the signal that ended it, negative."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.deaths.preload"])
    process = context.Process(target=live, args=(given,))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        return 1
    return process.exitcode


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """Start the service."""
    model = Model()
    with Emulator(answer=model, clock=VirtualClock(start=BEGIN), storage=True, bigquery=True) as emulator:
        emulator.bigquery.create_dataset("deaths")
        yield Service(emulator, model, folder)
