"""One history: a task, its attempts, and what is promised whatever happens to them."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import google.auth
import httpx
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from google.oauth2.credentials import Credentials

from airflow_provider_genai_batch import clock
from airflow_provider_genai_batch.exceptions import GenAIBatchError
from tests.hostile.airflow import RUN, TASK, Airflow, Store
from tests.hostile.jobs import ENDED, Job
from tests.hostile.service import HOST, STORAGE, Lies, Service
from tests.hostile.world import Died, World

CONN_ID = "genai_batch_hostile"
LONGEST = 6
"""Attempts in trouble at most, before all is well and the task has to come to its end."""
LAST = 6
"""Attempts that a task may need once all is well."""
KEYS = ("k0", "k1", "k2", "k3", "k4")
NOT_YET = "?"
CLOCKS = 660.0
"""Seconds by which the service's `Date` may be wrong here, and a minute."""
MONEY = re.compile(r"bill|paid|pay|money|cost|charge", re.IGNORECASE)
NOTHING = re.compile(
    r"[Nn]othing (was|is) (created|sent|billed)|No job was (created|submitted)|was not submitted"
)


class History:
    """A task's life by its number."""

    def __init__(self, number: int, folder: Path) -> None:
        self.world = world = World(number)
        chance = world.chance
        self.service = Service(world, Lies.of(world))
        self.service.created = self._about_to_create
        self.service.cancelling = self._about_to_cancel
        self.folder, self.results = folder, folder / "rows.jsonl"
        self.place = chance.choice(["gemini", "vertex", "vertex"])
        self.region, self.project = "us-central1", "p"
        self.src = [{"key": key, "contents": f"say {key}"} for key in KEYS[: chance.choice([2, 5])]]
        self.version = 0
        settings = {
            "model": "gemini-2.5-flash",
            "src": self.src,
            "results_uri": str(self.results),
            "conn_id": CONN_ID,
            "poll_interval": chance.choice([60, 300]),
            "timeout": chance.choice([480, 7200, 7200]),
            "on_timeout": chance.choice(["cancel", "leave"]),
            "deferrable": chance.choice([True, False]),
            "max_failed_rows": chance.choice([0, 0, 1, 0.6]),
            "retry_failed_rows": chance.choice([0, 0, 1]),
            "cancel_on_kill": chance.choice([True, True, False]),
            "reattach": chance.choice([True, True, True, False]),
        }
        store = Store(world) if chance.random() < 0.5 else None
        self.airflow = Airflow(world, settings, store)
        world.tell(f"{self.place} {settings} store={store is not None} {self.service.lies}")
        self.asked = NOT_YET
        """What all jobs of the input have in common, as it was when one was created last."""

    # ------------------------------------------------------------ what happens

    def run(self) -> World:
        """Go through all of it."""
        with surroundings(self):
            self._strangers()
            for _ in range(self.world.chance.randint(1, LONGEST)):
                if not self._attempt():
                    self._meanwhile()
            self._finish()
        return self.world

    def _attempt(self) -> bool:
        """Run an attempt to its end, whatever that is; return whether it succeeded."""
        world, chance = self.world, self.world.chance
        world.dead = False
        world.dies_in = chance.randint(1, 40) if world.likely(0.5) else None
        world.kills_in = chance.randint(1, 40) if world.likely(0.2) else None
        world.ahead = 0.0 if world.serene else chance.choice([0.0, 0.0, 400.0, -400.0, 590.0])
        self.service.attempt = self.airflow.tries + 1
        world.seen["attempt begins"] += 1
        world.tell(f"attempt {self.service.attempt} begins, its clock {world.ahead:+.0f} s")
        os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = self.connection()
        try:
            manifest = self.airflow.attempt()
        except Died as death:
            world.saw(f"attempt ends: {death}")
            return False
        except AirflowRuntimeError as error:
            world.saw(f"attempt fails: {error}")
            return False
        except GenAIBatchError as error:
            world.saw(f"attempt fails: {type(error).__name__}")
            world.tell(str(error))
            self._check_words(error)
            return False
        world.saw("attempt succeeds")
        self._check_rows(manifest)
        return True

    def _meanwhile(self) -> None:
        """Let things happen between two attempts."""
        world, chance = self.world, self.world.chance
        world.now += chance.choice([1.0, 10.0, 60.0, 400.0, 4000.0])
        ended = [job for job in self.service.jobs if job.state(world.now) in ENDED and job.deleted is None]
        if ended and world.likely(0.05):
            job = chance.choice(ended)
            job.deleted = world.now
            world.saw("somebody deletes an ended job")
            world.tell(job.name)
        if world.likely(0.08):
            self.version += 1
            self.airflow.settings["src"] = [
                {**one, "contents": f"{one['contents']} v{self.version}"} for one in self.src
            ]
            world.saw("the input changes")
            self.asked = NOT_YET
        if world.likely(0.05) and self.place == "vertex":
            self.region = chance.choice(["us-central1", "europe-west4"])
            world.saw("the connection moves to another location")
            self.asked = NOT_YET
        elif world.likely(0.03):
            self.place = "gemini" if self.place == "vertex" else "vertex"
            world.saw("the connection moves to the other service")
            self.asked = NOT_YET

    def _finish(self) -> None:
        """Let all be well: the task comes to its end, and nothing of it goes on."""
        self.world.serene = True
        for job in self._own():
            if job.live(self.world.now):
                job.ends, job.fate, job.good, job.bad = (
                    self.world.now + 60.0,
                    "SUCCEEDED",
                    set(job.keys),
                    set(),
                )
        self.world.saw("all is well from now on")
        for _ in range(LAST):
            if self._attempt():
                break
            self.world.now += 4000.0
        else:
            self.world.promise(None, f"no success in {LAST} attempts without trouble")
        left = [job for job in self._own() if job.live(self.world.now)]
        for job in left:
            if self._is_out_of_sight(job):
                continue
            named = any(job.name in warning for warning in self.world.warnings)
            self.world.promise(named, f"{job.name} goes on, nobody wants it, and no warning names it")

    def _is_out_of_sight(self, job: Job) -> bool:
        """Documented: without a record nobody knows of a job where the connection does not lead any more.

        No record names the second job of a create call that made two.
        """
        return job.place != self._here() and (self.airflow.store is None or self._has_twin(job))

    def _strangers(self) -> None:
        """Let others use the same project."""
        for place in (("gemini",), ("p", "us-central1"), ("p", "europe-west4")):
            for number in range(self.world.chance.choice([0, 2, 5])):
                name = f"other.task {number:016x}-{'f' * 16}-r0"
                labels = {"genai_batch_key": f"k{number:016x}", "genai_batch_fingerprint": f"f{'f' * 16}"}
                job = self.service.make(place, name, labels, ["x"], "gemini-2.5-flash", {}, by=None)
                job.shown = job.appears = job.created
                self.service.jobs.append(job)

    # ------------------------------------------------------------ promises

    def _own(self) -> list[Job]:
        return [job for job in self.service.jobs if job.by is not None]

    def _here(self) -> tuple[str, ...]:
        return ("gemini",) if self.place == "gemini" else (self.project, self.region)

    def _about_to_create(self, job: Job) -> None:
        """Check what is promised of a job that is about to be created."""
        world, now = self.world, self.world.now
        world.saw("creates")
        world.tell(f"{job.name} for {job.keys} as {job.tag}: {job.fate}, ends {job.ends - now:.0f} s later")
        family = self.asked = job.tag[:27]
        kin = [one for one in self._own() if one.tag.startswith(family) and one.place == job.place]
        for one in kin if self.airflow.settings["reattach"] else ():
            if one.tag == job.tag and one.live(now):
                world.promise(
                    one.twin or self._has_twin(one), f"a second job beside {one.name}, which goes on"
                )
            again = one.readable(now) & set(job.keys)
            if self._completed_one_that_is_gone(one, job):
                continue
            world.promise(not again, f"{sorted(again)} of {one.name} are asked and paid again")

    def _completed_one_that_is_gone(self, one: Job, job: Job) -> bool:
        """Documented: where somebody deleted the job of the first round, those that completed it are not found."""
        gone = any(other.deleted is not None and other.tag == job.tag for other in self._own())
        return gone and job.tag.endswith("-r0") and not one.tag.endswith("-r0")

    def _about_to_cancel(self, job: Job) -> None:
        """Check that a healthy job is cancelled for a reason, and not by a clock that is wrong."""
        world = self.world
        wanted = (
            self.airflow.settings["reattach"]
            and self.airflow.state in ("running", "deferred")
            and job.tag.startswith(self.asked)
            and job.place == self._here()
            and not (job.twin or self._has_twin(job))
        )
        age = world.now - job.created
        early = age < self.airflow.settings["timeout"] - CLOCKS
        world.promise(
            not (wanted and early), f"{job.name} is cancelled after {age:.0f} s, though it is wanted"
        )

    def _has_twin(self, job: Job) -> bool:
        return any(one.twin and one.tag == job.tag for one in self.service.jobs)

    def _check_rows(self, manifest: dict[str, Any]) -> None:
        """Check that the rows of a task that succeeded are those that were answered."""
        world = self.world
        rows = {row["key"]: row for row in map(json.loads, self.results.read_text().splitlines())}
        wanted = {one["key"] for one in self.airflow.settings["src"]}
        world.promise(rows.keys() == wanted, f"rows {sorted(rows)} for requests {sorted(wanted)}")
        good = {key for key, row in rows.items() if row["status"] == "ok"}
        world.promise(
            manifest["counts"]["ok"] == len(good), "the manifest counts other rows than those that landed"
        )
        used = [job for job in self._own() if job.name in manifest["job_names"]]
        family = {job.tag[:27] for job in used}
        paid = {
            key
            for job in self._own()
            if job.tag[:27] in family and job.place == self._here() and job.state(world.now) in ENDED
            for key in job.readable(world.now)
        }
        if self.airflow.settings["reattach"]:
            lost = (paid & wanted) - good
            world.promise(not lost, f"{sorted(lost)} were answered and paid, and did not land")

    def _check_words(self, error: GenAIBatchError) -> None:
        """Check that an error says what became of job and money, and what comes next."""
        said = str(error)
        self.world.promise(MONEY.search(said) or NOTHING.search(said), f"no word on the money: {error!r}")
        self.world.promise(
            re.search(r"next attempt|retry|again|Nothing was", said),
            f"no word on the next attempt: {error!r}",
        )

    # ------------------------------------------------------------ surroundings

    def connection(self) -> str:
        """Return the Airflow connection as it is now."""
        if self.place == "gemini":
            return json.dumps({"conn_type": "genai_batch", "host": HOST, "password": "key"})
        extra = {
            "backend": "vertex",
            "project": self.project,
            "location": self.region,
            "storage_endpoint": STORAGE,
            "staging_uri": "gs://bucket/staging/",
        }
        return json.dumps({"conn_type": "genai_batch", "host": HOST, "extra": extra})


class _Warnings(logging.Handler):
    def __init__(self, history: History) -> None:
        super().__init__(logging.INFO)
        self._history = history

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        self._history.world.tell(f"{record.levelname}: {said}")
        if record.levelno >= logging.WARNING:
            self._history.world.warnings.append(said)


@contextmanager
def surroundings(history: History) -> Iterator[None]:
    """Put a history's service, clock and Airflow in the place of the real ones."""

    def answer(_: Any, request: httpx.Request) -> httpx.Response:
        return history.service.answer(request)

    async def aanswer(_: Any, request: httpx.Request) -> httpx.Response:
        return history.service.answer(request)

    def states(**_: Any) -> dict[str, dict[str, str | None]]:
        state = history.airflow.state
        return {RUN: {TASK: state}} if state else {}

    logger = logging.getLogger("airflow_provider_genai_batch")
    handler, level, passes = _Warnings(history), logger.level, logger.propagate
    with ExitStack() as stack:
        stack.enter_context(patch.object(httpx.HTTPTransport, "handle_request", answer))
        stack.enter_context(patch.object(httpx.AsyncHTTPTransport, "handle_async_request", aanswer))
        stack.enter_context(patch.object(RuntimeTaskInstance, "get_task_states", states))
        stack.enter_context(
            patch.object(google.auth, "default", lambda **_: (Credentials(token="token"), None))
        )
        stack.enter_context(clock.replaced(history.world))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        stack.callback(setattr, logger, "propagate", passes)
        stack.callback(logger.setLevel, level)
        stack.callback(logger.removeHandler, handler)
        stack.enter_context(patch.dict(os.environ))
        yield


@contextmanager
def history(number: int) -> Iterator[History]:
    """Give a history that is yet to run, and a folder for as long as it does."""
    random.seed(number)  # the product's own, for pauses
    with tempfile.TemporaryDirectory() as folder:
        yield History(number, Path(folder))
