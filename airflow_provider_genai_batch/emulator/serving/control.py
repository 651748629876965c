"""The control routes, for tests in other processes: plain JSON, no credentials."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from airflow_provider_genai_batch.emulator.clock import NANOSECONDS
from airflow_provider_genai_batch.emulator.faults.fault import Fault
from airflow_provider_genai_batch.emulator.jobs.script import JobScript
from airflow_provider_genai_batch.emulator.jobs.states import bare
from airflow_provider_genai_batch.emulator.world import World

Connection = Callable[[str], dict[str, Any]]


class Control:
    """Handlers of ``/_emulator``."""

    def __init__(self, world: World, connection: Connection) -> None:
        """Control a world.

        Args:
            world: The emulator's state.
            connection: Returns an Airflow connection for a backend.
        """
        self._world = world
        self._connection = connection

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        base = "/_emulator"
        return [
            Route(f"{base}/health", self.health, methods=["GET"]),
            Route(f"{base}/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route(f"{base}/faults/{{number:int}}/release", self.release, methods=["POST"]),
            Route(f"{base}/clock", self.clock, methods=["GET", "POST"]),
            Route(f"{base}/jobs", self.jobs, methods=["GET", "POST"]),
            Route(f"{base}/jobs/{{name:path}}", self.job, methods=["GET", "PATCH"]),
            Route(f"{base}/requests", self.requests, methods=["GET", "DELETE"]),
            Route(f"{base}/switches", self.switches, methods=["GET", "PATCH"]),
            Route(f"{base}/capacity", self.capacity, methods=["GET", "PATCH"]),
            Route(f"{base}/connection/{{backend}}", self.connection, methods=["GET"]),
        ]

    async def health(self, _request: Request) -> Response:
        """Report that requests are served."""
        return JSONResponse({"status": "ok"})

    async def faults(self, request: Request) -> Response:
        """List, queue or remove faults."""
        faults = self._world.faults
        if request.method == "DELETE":
            faults.clear()
            return JSONResponse({})
        if request.method == "POST":
            try:
                body = await _object(request)
                method = str(body.pop("method", ""))
                ticket = faults.add(method, Fault.from_json(body))
            except ValueError as problem:
                return _wrong(problem)
            return JSONResponse({"id": ticket.id})
        waiting = [
            {"id": t.id, "method": t.method, "left": t.left, **t.fault.to_json()} for t in faults.unspent
        ]
        return JSONResponse({"faults": waiting})

    async def release(self, request: Request) -> Response:
        """Let the calls continue that a fault holds."""
        ticket = self._world.faults.find(request.path_params["number"])
        if ticket is None:
            return JSONResponse({"error": "no such fault"}, 404)
        ticket.release()
        return JSONResponse({})

    async def clock(self, request: Request) -> Response:
        """Show or advance the clock, or set how far the ``Date`` of replies differs from it."""
        clock = self._world.clock
        if request.method == "POST":
            try:
                self._set_clock(await _object(request))
            except (ValueError, TypeError) as problem:
                return _wrong(problem)
        shown = {"now": clock.now_ns() / NANOSECONDS, "offset": clock.offset_ns / NANOSECONDS}
        return JSONResponse({**shown, "date_skew": self._world.date_skew})

    def _set_clock(self, body: dict[str, Any]) -> None:
        if not body or body.keys() - {"advance", "date_skew"}:
            message = "give advance, date_skew or both, in seconds"
            raise ValueError(message)
        self._world.date_skew = float(body.get("date_skew", self._world.date_skew))
        if "advance" in body:
            self._world.clock.advance(float(body["advance"]))

    async def jobs(self, request: Request) -> Response:
        """List all jobs that were ever created, or queue a script."""
        if request.method == "POST":
            try:
                body = await _object(request)
                backend = body.pop("backend", None)
                self._world.scripts.append((backend, JobScript.from_json(body)))
            except (ValueError, TypeError) as problem:
                return _wrong(problem)
            return JSONResponse({})
        return JSONResponse({"jobs": await asyncio.to_thread(self._world.snapshot)})

    async def job(self, request: Request) -> Response:
        """Show one job, or force it into a state."""
        name = request.path_params["name"]
        job = self._world.jobs.get(name)
        if job is None:
            return JSONResponse({"error": "no such job"}, 404)
        if request.method == "PATCH":
            try:
                body = await _object(request)
                await asyncio.to_thread(force, self._world, name, str(body["state"]), body.get("error"))
            except (ValueError, KeyError) as problem:
                return _wrong(problem)
        shown = await asyncio.to_thread(self._world.snapshot)
        return JSONResponse(next(one for one in shown if one["name"] == name))

    async def requests(self, request: Request) -> Response:
        """List or remove requests."""
        if request.method == "DELETE":
            self._world.requests.clear()
            return JSONResponse({})
        return JSONResponse({"requests": self._world.requests.snapshot()})

    async def switches(self, request: Request) -> Response:
        """Show or set switches."""
        if request.method == "PATCH":
            try:
                self._world.switches = self._world.switches.changed(await _object(request))
            except ValueError as problem:
                return _wrong(problem)
        return JSONResponse(self._world.switches.to_json())

    async def capacity(self, request: Request) -> Response:
        """Show or set limits of online calls."""
        if request.method == "PATCH":
            try:
                self._world.capacity = self._world.capacity.changed(await _object(request))
            except (ValueError, TypeError, AttributeError) as problem:
                return _wrong(problem)
        return JSONResponse(self._world.capacity.to_json())

    async def connection(self, request: Request) -> Response:
        """Return an Airflow connection."""
        try:
            return JSONResponse(await asyncio.to_thread(self._connection, request.path_params["backend"]))
        except ValueError as problem:
            return _wrong(problem)


def force(world: World, name: str, state: str, error: dict[str, Any] | None = None) -> None:
    """Set the state of a job that has not ended.

    Raises:
        ValueError: There is no such job, or it has ended.
    """
    with world.lock:
        job = world.jobs.get(name)
        if job is None or job.ended:
            message = f"{name} is not there or has ended"
            raise ValueError(message)
        job.forced = bare(state)
        job.error = error
        world.save(job)
    world.finish(world.settle([job]))


async def _object(request: Request) -> dict[str, Any]:
    body = json.loads(await request.body())
    if not isinstance(body, dict):
        message = "the body is a JSON object"
        raise ValueError(message)  # noqa: TRY004 - callers handle every problem of a body in the same way
    return body


def _wrong(problem: Exception) -> Response:
    return JSONResponse({"error": str(problem)}, 400)
