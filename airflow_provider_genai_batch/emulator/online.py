"""The common parts of online calls to both services: reading, admission to a model, refusals as HTTP errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_genai_batch.emulator import refusals
from airflow_provider_genai_batch.emulator.calls.call import Call
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model.errors import HTTP_OF_GRPC, RowError
from airflow_provider_genai_batch.emulator.model.refused.fields import check
from airflow_provider_genai_batch.emulator.model.refused.wording import text, violations
from airflow_provider_genai_batch.emulator.model.text import content_text, system_of, tokens

LARGEST_BODY = 20971520
_LEAST_TIMEOUT, _USUAL_TIMEOUT = 10, 600
_PACKAGES = {"gemini": "google.ai.generativelanguage.v1beta", "vertex": "google.cloud.aiplatform.v1"}


async def body_of(call: Call) -> JsonObject:
    """Return the body.

    Raises:
        ApiError: 400 if it is too large or not an object.
    """
    call.query()
    raw = await call.body(LARGEST_BODY)
    try:
        value: Any = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        message = f"Invalid JSON payload received. {problem}"
        raise ApiError(400, message) from problem
    if not isinstance(value, dict):
        raise ApiError(400, "Invalid JSON payload received. The root element must be an object.")
    return value


def checked(backend: str, message: str, value: Any, where: str = "") -> None:
    """Refuse unknown fields and values of another type.

    Raises:
        ApiError: 400, with a violation for each of them.
    """
    found = violations(check(backend, message, value), where, _PACKAGES[backend])
    if found:
        detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": found}
        raise ApiError(400, text(found), details=[detail])


def timeout_of(call: Call) -> int:
    """Return the timeout in seconds that a caller gives the server.

    Raises:
        ApiError: 400 for fewer than ten seconds, or for a value that is not a number.
    """
    given = call.request.headers.get("x-server-timeout", str(_USUAL_TIMEOUT))
    if not given.isdigit():
        message = f"Invalid X-Server-Timeout: {given}"
        raise ApiError(400, message)
    if int(given) < _LEAST_TIMEOUT:
        message = (
            f"Manually set deadline {given}s is too short. Minimum allowed deadline is {_LEAST_TIMEOUT}s."
        )
        raise ApiError(400, message)
    return int(given)


def asked_text(request: JsonObject) -> str:
    """Return the text of a request that the model reads."""
    contents = request.get("contents") or request.get("content") or []
    return content_text(contents) + system_of(request)


def asked_tokens(request: JsonObject) -> int:
    """Return the input tokens of a request."""
    return tokens(asked_text(request))


@contextmanager
def admitted(call: Call, backend: str, model: str, tier: str, asked: int) -> Iterator[None]:
    """Hold a slot of a model until the block ends.

    Args:
        call: The call.
        backend: ``gemini`` or ``vertex``.
        model: The model's id.
        tier: The tier of the call.
        asked: Input tokens.

    Raises:
        ApiError: 429, 503 or 504.
    """
    timeout = timeout_of(call)
    capacity, usage = call.world.capacity, call.world.usage
    now = call.world.clock.now_ns()
    if backend == "gemini":
        _within_quota(call, model, asked, now)
    if usage.shed(capacity, tier, now) or not usage.enter(model, capacity.slots):
        raise refusals.no_room(backend)
    try:
        if capacity.seconds > timeout:
            raise ApiError(504, "Deadline expired before operation could complete.")
        yield
    finally:
        usage.leave(model)


def _within_quota(call: Call, model: str, asked: int, now: int) -> None:
    capacity, usage = call.world.capacity, call.world.usage
    if capacity.cap_tokens is not None and usage.billed >= capacity.cap_tokens:
        raise refusals.spending_cap()
    if capacity.spend_tokens is not None and usage.spent(now) >= capacity.spend_tokens:
        raise refusals.spend_window()
    if capacity.day_requests is not None and (wait := usage.wait_for_day(model, capacity.day_requests, now)):
        raise refusals.day_quota(model, capacity.day_requests, wait)
    if capacity.minute_tokens is not None and (
        wait := usage.wait_for_minute(model, asked, capacity.minute_tokens, now)
    ):
        raise refusals.minute_quota(model, capacity.minute_tokens, wait)


async def answered(call: Call, answer: Callable[[], JsonObject]) -> JsonObject:
    """Ask the simulated model in a thread, because a test's function may block.

    Raises:
        ApiError: The model refuses the request because of its content.
    """
    latency = call.world.capacity.latency
    if latency:
        await asyncio.sleep(latency)
    try:
        return await asyncio.to_thread(answer)
    except RowError as refused:
        status = refused.status()
        message = str(status.get("message", ""))
        raise ApiError(HTTP_OF_GRPC.get(refused.code, 500), message, details=refused.details) from refused


def served(call: Call, response: JsonObject) -> None:
    """Count the tokens of an answer. Refused calls are not billed."""
    usage = response.get("usageMetadata") or {}
    call.world.usage.serve(int(usage.get("totalTokenCount") or 0), call.world.clock.now_ns())
