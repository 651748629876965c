"""Times a group of mapped tasks on one worker and on four; ``python -m tests.scale_out.scaling [PAGE]``.

The same input is asked in the same parts, with CeleryExecutor on one worker of one slot and on four of them, and with
LocalExecutor of one slot and of four. On four workers it is asked once more, and one of them is killed meanwhile.
Last, each worker gets a share of a core, so that all of them, the service and Airflow fit on a machine of two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
from tests.airflow_stack import AirflowStack, DagRun, PostgreSQL
from tests.benchmarks.page import put, table
from tests.scale_out import cores
from tests.scale_out.services import missing, redis
from tests.waiting import wait_until

HEADING = "Measured on one and on four workers"
_PATIENCE = 1800.0
_DAGS = Path(__file__).with_name("group_dags")


@dataclass(frozen=True)
class Setting:
    """Where the group runs."""

    name: str
    slots: int
    celery: bool
    cores: float | None = None
    """How much of a core each worker may use; None: all that it gets."""


@dataclass(frozen=True)
class Timed:
    """What a run of the group took, in seconds, and what came of it."""

    setting: str
    split: float
    ask: float
    """From the begin of the first mapped task to the end of the last, deferrals included."""
    merge: float
    service: float
    """CPU time of the emulator while the group ran."""
    jobs: int
    creates: int
    rows: int
    wrong: str


_SHARE = 0.1
SETTINGS = (
    Setting("Celery, one worker", 1, celery=True),
    Setting("Celery, four workers", 4, celery=True),
    Setting("LocalExecutor, one slot", 1, celery=False),
    Setting("LocalExecutor, four slots", 4, celery=False),
)
SMALL_WORKERS = (
    Setting(f"Celery, one worker of {_SHARE:g} cores", 1, celery=True, cores=_SHARE),
    Setting(f"Celery, four workers of {_SHARE:g} cores", 4, celery=True, cores=_SHARE),
)


@dataclass(frozen=True)
class World:
    """One Airflow with its emulator."""

    airflow: AirflowStack
    emulator: Emulator
    results: Path
    rows: int
    parts: int

    def run(self, setting: Setting, *, kill: bool = False) -> Timed:
        """Run the group once; with `kill` one worker dies while mapped tasks run, and is started again."""
        client = self.airflow.client
        self.emulator.clear_requests()
        before, begun = len(self.emulator.jobs), time.process_time()
        run = client.trigger("group")
        if kill:
            self._lose_worker(run)
        state = client.wait_for(run, _PATIENCE)
        service = time.process_time() - begun  # the emulator is a thread of this process
        tasks = self._tasks(run)
        spans = {
            name: _span([one for one in tasks if one["task_id"] == f"all.{name}"])
            for name in ("split", "ask", "merge")
        }
        keys = self._keys()
        jobs = self.emulator.jobs[before:]
        creates = sum(one["method"] == "batches.create" for one in self.emulator.requests)
        wrong = [] if state == "success" else [f"the run ended as {state}"]
        if len(keys) != self.rows or set(keys.values()) != {1}:
            wrong.append(f"{len(keys)} keys of {self.rows}, {sum(keys.values())} rows")
        if len({job["display_name"] for job in jobs}) != self.parts or len(jobs) != self.parts:
            wrong.append(f"{len(jobs)} jobs for {self.parts} parts")
        name = f"{setting.name}, of which one is killed" if kill else setting.name
        return Timed(
            name,
            **spans,
            service=service,
            jobs=len(jobs),
            creates=creates,
            rows=sum(keys.values()),
            wrong="; ".join(wrong),
        )

    def _lose_worker(self, run: DagRun) -> None:
        def busy() -> list[str]:
            asks = [one for one in self._tasks(run) if one["task_id"] == "all.ask"]
            return [one["unixname"] for one in asks if one["state"] == "running"]

        wait_until(busy, "a mapped task runs", _PATIENCE)
        victim = busy()[0]
        self.airflow.kill(victim)
        self.airflow.start(victim)

    def _tasks(self, run: DagRun) -> list[dict[str, Any]]:
        path = f"{run.path}/taskInstances"
        found: list[dict[str, Any]] = self.airflow.client.call("GET", path, params={"limit": 100})[
            "task_instances"
        ]
        return found

    def _keys(self) -> Counter[str]:
        (path,) = self.results.glob("*.jsonl")
        with path.open() as lines:
            keys = Counter(json.loads(line)["key"] for line in lines)
        path.unlink()
        return keys


def _span(tasks: list[dict[str, Any]]) -> float:
    begins = [datetime.fromisoformat(one["start_date"]) for one in tasks]
    ends = [datetime.fromisoformat(one["end_date"]) for one in tasks]
    return (max(ends) - min(begins)).total_seconds()


@contextmanager
def opened(folder: Path, setting: Setting, rows: int, parts: int) -> Iterator[World]:
    """Start an Airflow and an emulator whose jobs end at once."""
    src, results = folder / "requests.jsonl", folder / "results"
    results.mkdir(parents=True)
    with src.open("w") as out:
        for index in range(rows):
            request = {"contents": [{"parts": [{"text": f"Is review {index} good?"}]}]}
            out.write(json.dumps({"request": request}) + "\n")
    with ExitStack() as stack:
        database = stack.enter_context(PostgreSQL())
        emulator = stack.enter_context(Emulator(lifecycle=Lifecycle.at_once()))
        settings = {
            "TMPDIR": str(folder),
            "SCALING_SRC": str(src),
            "SCALING_PARTS": str(parts),
            "SCALING_RESULTS": str(results),
            "AIRFLOW__CORE__PARALLELISM": str(setting.slots),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20" if setting.cores is None else "300",
        }
        if setting.celery:
            settings |= {
                "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
                "AIRFLOW__CELERY__BROKER_URL": stack.enter_context(redis()),
                "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
                "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "30",
            }
        workers = setting.slots if setting.celery else 0
        settings["AIRFLOW_CONN_GENAI_BATCH_DEFAULT"] = json.dumps(emulator.connection("gemini"))
        airflow = stack.enter_context(
            AirflowStack(folder / "home", _DAGS, settings, database=database.url, workers=workers)
        )
        try:
            for number in range(workers):
                log = airflow.home / f"worker{number}.log"
                wait_until(lambda log=log: "ready." in log.read_text(), f"{log.stem} is ready", 180)
                if setting.cores is not None:
                    enter = stack.enter_context(cores.share(setting.cores))
                    enter(one.pid for one in airflow.processes(log.stem))
            yield World(airflow, emulator, results, rows, parts)
        except BaseException:
            sys.stderr.write(airflow.logs())
            raise


def section(found: list[Timed], rows: int, parts: int) -> str:
    """Write what stands below the heading."""
    asked = {one.setting: one.ask for one in found}
    every = SETTINGS + SMALL_WORKERS
    lines = [
        (
            one.setting,
            *(f"{seconds:.0f}" for seconds in (one.split, one.ask, one.merge, one.service)),
            one.jobs,
            one.creates,
            one.rows,
        )
        for one in found
    ]
    ratios = [
        f"{asked[one.name] / asked[four.name]:.1f} times as fast with {four.name} as with {one.name}"
        for one, four in zip(every[::2], every[1::2], strict=True)
        if one.name in asked and four.name in asked
    ]
    text = _BEGIN.format(rows=rows, parts=parts, cores=os.cpu_count(), ratios=", ".join(ratios))
    small = _SMALL if SMALL_WORKERS[-1].name in asked else ""
    return text + small + table(_COLUMNS, lines)


_COLUMNS = (
    "Executor",
    "Split, s",
    "Ask, s",
    "Merge, s",
    "CPU of the emulator, s",
    "Jobs",
    "Create calls",
    "Rows",
)
_BEGIN = """\
`python -m tests.scale_out.scaling` asks {rows:,} requests in {parts} parts of a group on a machine of {cores} cores,
which Airflow, PostgreSQL, Redis and the emulator share with the workers. Each worker has one slot. The mapped tasks
were {ratios}.

The emulator stands in for the service and answers on one core, so no number of workers can be faster here than its CPU
time. One worker and the emulator already keep both cores busy.

"""
_SMALL = f"""\
The last two rows show small workers, four of which fit beside the rest: a control group of Linux gives each of them
{_SHARE:g} of a core.

"""


def main() -> int:
    """Return 0 if every row was asked and landed once, 1 if not, and 2 if something is not installed."""
    parser = argparse.ArgumentParser(prog="python -m tests.scale_out.scaling", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, help="the page whose section to write")
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument(
        "--small", action="store_true", help="only the workers with a share of a core; writes nothing"
    )
    asked = parser.parse_args()
    if what := missing():
        sys.stderr.write(f"{what}\n")
        return 2
    found = []
    small = SMALL_WORKERS if cores.allowed() else ()
    if not small:
        sys.stderr.write(
            "Workers with a share of a core are left out: this user may not make control groups.\n"
        )
    for setting in small if asked.small else SETTINGS + small:
        with (
            tempfile.TemporaryDirectory(prefix="scaling-") as folder,
            opened(Path(folder), setting, asked.rows, asked.parts) as world,
        ):
            whole = setting.celery and setting.cores is None
            kills = (False, True) if whole and setting.slots > 1 else (False,)
            for kill in kills:
                found.append(world.run(setting, kill=kill))
                sys.stdout.write(f"{found[-1]}\n")
                sys.stdout.flush()
    text = section(found, asked.rows, asked.parts)
    sys.stdout.write(text)
    wrong = [one.wrong for one in found if one.wrong]
    if asked.page is not None and not wrong:
        put(HEADING, text, asked.page)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
