"""One request while the emulator handles it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from airflow_provider_genai_batch.emulator.calls.fields_mask import masked
from airflow_provider_genai_batch.emulator.credentials.oauth import Tokens
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, dumps, known_only, words
from airflow_provider_genai_batch.emulator.request_log import Entry
from airflow_provider_genai_batch.emulator.world import World

_SYSTEM_QUERY = words(
    "fields alt $alt key access_token oauth_token quotaUser prettyPrint callback uploadType "
    "upload_protocol $.xgafv $prettyPrint $fields upload_id"
)
_LARGE = 1 << 18
"""Bodies from this size on are parsed off the event loop."""


@dataclass
class Call:
    """The request, and the state that its handler uses."""

    world: World
    tokens: Tokens
    request: Request
    entry: Entry
    read_to_the_end: bool = False
    fault: str = ""
    kept: bytes | None = None

    @property
    def base_url(self) -> str:
        """Scheme and host under which the caller reaches the emulator."""
        return str(self.request.base_url).rstrip("/")

    def param(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def query(self, *allowed: str) -> dict[str, str]:
        """Return the query; refuse names that the method does not have.

        Raises:
            ApiError: 400, as Google's front end answers unknown parameters.
        """
        given = dict(self.request.query_params)
        for name in given:
            if name not in allowed and name not in _SYSTEM_QUERY:
                message = (
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                    f"Field '{name}' could not be found in request message."
                )
                raise ApiError(400, message)
        if given.get("alt", "json") not in {"json", "media", "proto"}:
            message = f"Invalid value for alt: {given['alt']}"
            raise ApiError(400, message)
        return given

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. A body that was read to its end is yielded again only if it was kept."""
        if self.kept is not None:
            yield self.kept
        if self.read_to_the_end:
            return
        async for chunk in self.request.stream():
            if chunk:
                self.entry.body(chunk)
                yield chunk
        self.read_to_the_end = True

    async def keep(self) -> None:
        """Read the body now, for handlers that read it more than once."""
        self.kept = b"".join([chunk async for chunk in self.stream()])

    async def drain(self) -> None:
        """Read and discard the body, so that an early answer reaches a caller that is still sending."""
        async for _ in self.stream():
            pass

    async def body(self, largest: int) -> bytes:
        """Return the body.

        Raises:
            ApiError: 400 for more bytes than allowed.
        """
        kept = bytearray()
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size <= largest:
                kept += chunk
        if size > largest:
            message = f"Request payload size exceeds the limit: {largest} bytes."
            raise ApiError(400, message)
        return bytes(kept)

    async def json(self, allowed: Iterable[str], largest: int, where: str) -> JsonObject:
        """Return the body as an object with known, lowerCamel names."""
        raw = await self.body(largest)
        try:
            obj: Any = await asyncio.to_thread(json.loads, raw) if len(raw) > _LARGE else json.loads(raw)
        except (ValueError, RecursionError) as problem:
            message = f"Invalid JSON payload received. {problem}"
            raise ApiError(400, message) from problem
        return known_only(obj, allowed, where)

    async def nothing(self) -> None:
        """Read a body that must be empty, or an empty object.

        Raises:
            ApiError: 400 for anything else.
        """
        raw = await self.body(_LARGE)
        if raw.strip() not in {b"", b"{}"}:
            raise ApiError(400, "Invalid JSON payload received. Unknown name in an empty request message.")

    async def look(self, jobs: list[Job], *, listed: bool = False) -> None:
        """Count a look at jobs, and produce the output of those that have ended."""
        await self.settle(jobs, look=True, listed=listed)

    async def settle(self, jobs: list[Job], *, look: bool = False, listed: bool = False) -> None:
        """Bring jobs up to date, and produce the output of those that have ended."""
        endings = self.world.settle(jobs, look=look, listed=listed)
        if endings:
            await asyncio.to_thread(self.world.finish, endings)

    def reply(self, value: JsonObject, known: Iterable[str] = ()) -> Response:
        """Answer JSON, reduced to what ``fields`` selects.

        Args:
            value: The whole answer.
            known: The top-level names of the message; a mask with other names is refused.
        """
        mask = self.request.query_params.get("fields") or self.request.query_params.get("$fields")
        return json_response(masked(value, mask, known) if mask else value)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer JSON."""
    return Response(dumps(value), status, headers, media_type="application/json; charset=UTF-8")
