"""What happens to a run; every scenario is the same for both contenders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_genai_batch.emulator import Fault, JobScript
from tests.airflow_stack import DagRun
from tests.peers.paid_jobs.arena import Arena

_CREATE, _LOOK, _ROWS = "batches.create", "batches.get", "files.download"

Play = Callable[[Arena, str, str, str], DagRun]
"""Takes the contender, how it waits, and where its requests come from; returns the run that it started."""


@dataclass(frozen=True)
class Scenario:
    """One trouble, and the ways to wait in which it can happen."""

    what: str
    play: Play
    doors: tuple[str, ...] = ("in_place", "deferred")
    sources: tuple[str, ...] = ("file",)


def nothing(arena: Arena, side: str, door: str, source: str) -> DagRun:
    return arena.begin(side, door, source)


def fault(method: str, what: Fault) -> Play:
    def play(arena: Arena, side: str, door: str, source: str) -> DagRun:
        arena.emulator.faults.add(method, what)
        return arena.begin(side, door, source)

    return play


def job(script: JobScript) -> Play:
    def play(arena: Arena, side: str, door: str, source: str) -> DagRun:
        arena.emulator.script(script)
        return arena.begin(side, door, source)

    return play


def killed_while_it_waits(arena: Arena, side: str, door: str, source: str) -> DagRun:
    """Kill what waits: the task's process in place, the triggerer when deferred."""
    arena.the_next_job_takes_an_hour()
    before = arena.asked
    run = arena.begin(side, door, source)
    arena.wait_for_a_look(before)
    if door == "deferred":
        arena.airflow.client.wait_for_task(run, "answer", "deferred")
        arena.kill_triggerer()
    else:
        arena.kill_task(run)
    arena.wait_for_a_look(arena.asked)
    arena.the_hour_passes()
    return run


def killed_before_it_has_the_reply(arena: Arena, side: str, door: str, source: str) -> DagRun:
    """Kill what creates when the service has created the job: their operator creates on the triggerer."""
    held = arena.emulator.faults.add(_CREATE, Fault.hold(acted=True))
    run = arena.begin(side, door, source)
    if not held.wait_held(60):
        message = "nobody created a job"
        raise TimeoutError(message)
    if side == "theirs" and door == "deferred":
        arena.kill_triggerer()
    else:
        arena.kill_task(run)
    held.release()
    return run


SCENARIOS = (
    Scenario("Nothing goes wrong", nothing),
    Scenario("What waits is killed (SIGKILL): the task's process, or the triggerer", killed_while_it_waits),
    Scenario(
        "What creates the job is killed before it has the reply to its create call",
        killed_before_it_has_the_reply,
    ),
    Scenario("The job is created and the reply is lost", fault(_CREATE, Fault.lost_reply())),
    Scenario("One look at the job is answered 503", fault(_LOOK, Fault.error(503))),
    Scenario("Reading the rows is answered 403 once", fault(_ROWS, Fault.error(403))),
    Scenario(
        "The job ends SUCCEEDED and every row has failed",
        job(JobScript(all_rows_fail=13)),
        sources=("file", "list"),
    ),
    Scenario("The job ends FAILED", job(JobScript(end="FAILED", error={"code": 13, "message": "internal"}))),
)
