"""Measures a process full of triggers from outside: while nothing ends, and while everything ends."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass

from tests.benchmarks.looks.process import Watcher
from tests.benchmarks.looks.server import Service

INTERVAL = 2
"""Seconds between two looks at a job that all triggers are asked for; they take whole seconds only."""


@dataclass(frozen=True)
class Window:
    """How long the time is in which nothing ends."""

    looks: int = 3
    """It lasts until each job was looked at as often, on average ..."""
    seconds: float = 20
    """... and as long, but ..."""
    longest: float = 120
    """... no longer; nor does the time before it, in which each job has to be looked at once."""


@dataclass(frozen=True)
class Figures:
    """What waiting for so many jobs cost. Times are milliseconds, memory is KiB."""

    jobs: int
    cpu: float
    """CPU time of a look."""
    asked: float
    """How many looks were made of those that the poll interval asks for; more than 1 are not counted for the others."""
    memory: float
    """Resident memory of a job."""
    stall: float
    """The longest time for which the event loop was busy."""
    requests: float
    """HTTP requests of a look."""
    connections: int
    """Open at once."""
    start_cpu: float
    """CPU time of a job from the trigger's start until all jobs were looked at once."""
    start_stall: float
    """The longest time for which the event loop was busy meanwhile."""
    end_cpu: float
    """CPU time of a job's end."""
    end_requests: float
    """HTTP requests of a job's end."""
    end_stall: float
    """The longest time for which the event loop was busy while jobs ended."""
    late: float
    """For how long after the last job's end the last trigger fired."""


def measure(service: Service, who: str, jobs: int, window: Window, *, others: int = 0) -> Figures:
    """Let triggers wait for jobs, and then for the jobs' ends, which come within a poll interval.

    Raises:
        RuntimeError: A trigger saw something else than the job's success, or its process died.
    """
    service.tell("jobs", jobs, others)
    with (
        tempfile.TemporaryFile("w+") as errors,
        Watcher(who, jobs, service.address, INTERVAL, errors) as watcher,
    ):
        watcher.expect("ready")
        empty = watcher.resident()
        started = watcher.now()
        watcher.say("go")
        watcher.expect("started")
        seen = service.tell("counts")
        # The one that has ended was seen, too.
        while seen["seen"] <= jobs and time.monotonic() - started[0] < window.longest:
            seen = _later(service)
        begun = watcher.now()
        while True:
            counts = _later(service)
            looks, seconds = counts["looks"] - seen["looks"], time.monotonic() - begun[0]
            if seconds > window.longest or (seconds > window.seconds and looks >= window.looks * jobs):
                break
        still = watcher.now()
        memory = (watcher.resident() - empty) / jobs
        wanted = jobs * seconds / INTERVAL
        needed = min(looks, wanted)
        steady = (still[1] - begun[1], counts["requests"] - seen["requests"])
        service.tell("end", INTERVAL)
        told = json.loads(watcher.expect("{"))
        over = watcher.now()
        if told["succeeded"] != jobs:
            msg = f"only {told['succeeded']} of {jobs} triggers of {who} saw the end"
            raise RuntimeError(msg)
        ended = service.tell("counts")
    busy = {int(second): length * 1e3 for second, length in told["busy"].items()}
    return Figures(
        jobs=jobs,
        cpu=steady[0] / needed * 1e3,
        asked=looks / wanted,
        memory=memory,
        stall=_longest(busy, begun[0], still[0]),
        requests=steady[1] / needed,
        connections=int(counts["most_open"]),
        start_cpu=(begun[1] - started[1]) / jobs * 1e3,
        start_stall=_longest(busy, started[0], begun[0]),
        end_cpu=(over[1] - still[1]) / jobs * 1e3,
        end_requests=(ended["requests"] - counts["requests"]) / jobs,
        end_stall=_longest(busy, still[0], over[0]),
        late=(over[0] - still[0] - INTERVAL) * 1e3,
    )


def _later(service: Service) -> dict[str, float]:
    time.sleep(0.2)
    return service.tell("counts")


def _longest(busy: dict[int, float], begun: float, over: float) -> float:
    """Return the longest of the stretches that ended in seconds which began within that time."""
    return max((length for second, length in busy.items() if begun <= second <= over), default=1.0)
