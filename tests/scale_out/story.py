"""What happens: runs begin, a worker dies, a triggerer dies, a message comes twice, the jobs end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from airflow_provider_genai_batch.emulator import JobScript
from tests.scale_out.runs import PLANS, World
from tests.waiting import wait_until

_PATIENCE = 180.0
_WAITS = sum(plan.waits for plan in PLANS.values())
_RUNS_ON = "Task already running elsewhere, ignoring redelivered message"
_PAST = "Task Instance not found"
Event = tuple[str, str, str, str]
"""What happened, what it met, what came of it, and after how many seconds."""


def happen(world: World) -> Iterator[Event]:
    """Run all of it, and tell of each event."""
    client = world.airflow.client
    world.emulator.script(JobScript(row_errors={"k0": 13}))
    world.runs["in_place"] = client.trigger("in_place")
    wait_until(lambda: [job for job in world.emulator.jobs if job["looks"]], "it waits in place", _PATIENCE)
    victim = client.task(world.runs["in_place"], "answer")["unixname"]
    for dag_id in PLANS:
        if dag_id not in world.runs:
            world.runs[dag_id] = client.trigger(dag_id)
    yield _lose_worker(world, victim)
    restarted, begun = datetime.now(timezone.utc), time.monotonic()
    world.airflow.start(victim)

    def all_wait() -> bool:
        found = world.instances(state="deferred")
        return len(found) == _WAITS and all(one["triggerer_job"] for one in found)

    wait_until(all_wait, f"{_WAITS} tasks are deferred, each on a triggerer", _PATIENCE, every=0.5)
    all_deferred = f"the {_WAITS} that defer were deferred"
    yield f"`{victim}` was started again", "all other tasks", all_deferred, _since(begun)
    yield _lose_triggerer(world)
    wait_until(lambda: _said(world, _RUNS_ON), "a message comes again", _PATIENCE, every=0.5)
    begun = time.monotonic()
    for run in world.runs.values():
        client.wait_for(run, timeout=_PATIENCE, progress=lambda _: world.end_jobs())
    took = _since(begun)
    met = f"{_said(world, _PAST)} of attempts that died, {_said(world, _RUNS_ON)} of one that runs on"
    yield "Redis delivered messages again", met, "Airflow refused the former and ignored the latter", ""
    ended = [one for one in world.instances() if datetime.fromisoformat(one["end_date"]) > restarted]
    by_it = sum(one["unixname"] == victim for one in ended)
    yield "The service ended all jobs", "all runs", f"`{victim}` ended {by_it} of {len(ended)} tasks", took


def _lose_worker(world: World, victim: str) -> Event:
    """Kill the worker whose one task waits in place while another begins; the other has to go on with the first."""
    client, run = world.airflow.client, world.runs["in_place"]

    def on_it() -> list[dict[str, Any]]:
        return [one for one in world.instances(state="running") if one["unixname"] == victim]

    def busy() -> bool:
        return len(on_it()) > 1 and len(world.instances(state="deferred")) > 3

    wait_until(busy, f"{victim} has a second task", _PATIENCE, every=0.1)
    held = f"{len(on_it())} running tasks, one in place; {len(world.instances(state='queued'))} queued"
    begun = time.monotonic()
    world.airflow.kill(victim)

    def looks() -> int:
        return sum(job["looks"] for job in world.jobs_of([client.task(run, "answer")]))

    def next_runs() -> bool:
        task = client.task(run, "answer")
        return task["try_number"] > 1 and task["state"] == "running"

    before = looks()
    wait_until(lambda: next_runs() and looks() > before, "another attempt looks", _PATIENCE, every=0.2)
    then = f"`{client.task(run, 'answer')['unixname']}` looked at the job in the next attempt"
    return f"`{victim}` was killed", held, then, _since(begun)


def _lose_triggerer(world: World) -> Event:
    """Kill the triggerer that has most of the tasks; the other has to look at the jobs of all of them."""
    on: dict[str, list[dict[str, Any]]] = {"triggerer0": [], "triggerer1": []}
    for one in world.instances(state="deferred"):
        on[one["triggerer_job"]["unixname"]].append(one)
    heir, victim = sorted(on, key=lambda name: len(on[name]))
    begun = time.monotonic()
    world.airflow.kill(victim)
    before = {job["name"]: job["looks"] for job in world.jobs_of(on[victim])}

    def taken_over() -> bool:
        jobs = [job for job in world.emulator.jobs if job["name"] in before]
        return all(job["looks"] > before[job["name"]] for job in jobs)

    wait_until(taken_over, f"{heir} looks at all jobs of {victim}", _PATIENCE, every=0.2)
    held = f"{len(on[victim])} of {_WAITS} deferred tasks"
    return f"`{victim}` was killed", held, f"`{heir}` looked at all their jobs", _since(begun)


def _said(world: World, what: str) -> int:
    return sum(log.read_text().count(what) for log in world.airflow.home.glob("worker*.log"))


def _since(begun: float) -> str:
    return f"{time.monotonic() - begun:.1f}"
