"""The pipeline for every request: it is logged, disturbed if a fault waits for it, authorized and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from airflow_provider_genai_batch.emulator.calls.call import Call, json_response
from airflow_provider_genai_batch.emulator.credentials import auth
from airflow_provider_genai_batch.emulator.credentials.oauth import Tokens
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.faults.fault import Fault
from airflow_provider_genai_batch.emulator.faults.methods import METHODS
from airflow_provider_genai_batch.emulator.faults.queue import Ticket
from airflow_provider_genai_batch.emulator.request_log import Entry
from airflow_provider_genai_batch.emulator.world import World

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]

_STATUS_HEADER = "X-Goog-Upload-Status"
_PAGE = (
    "<html><head><title>Error</title></head><body><h1>Error: Server Error</h1><p>Try again.</p></body></html>"
)


class Dropped(Exception):
    """The connection must be dropped without a reply."""


class Endpoint:
    """The ASGI application for one method."""

    def __init__(self, world: World, tokens: Tokens, method: str, handler: Handler) -> None:
        """Bind a method id to its handler."""
        self._world = world
        self._tokens = tokens
        self._method = METHODS[method]
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        entry = Entry(self._method.id, request)
        self._world.requests.add(entry)
        call = Call(self._world, self._tokens, request, entry)
        ticket = self._world.faults.take(
            self._method.id,
            request.url.path,
            request.headers.get("x-goog-upload-command", ""),
            filtered=bool(request.query_params.get("filter")),
        )
        if ticket is not None:
            entry.data["fault"] = ticket.fault.kind
            call.fault = ticket.fault.kind
        try:
            response = await self._answer(call, ticket)
        except ClientDisconnect:
            return
        except Dropped:
            await drop(scope, receive)
            return
        finally:
            entry.close()
        entry.data["status"] = response.status_code
        response.headers["date"] = self._world.date()
        if ticket is not None and ticket.fault.kind == "truncated":
            await response(scope, receive, _Truncated(send, scope))
        else:
            await response(scope, receive, send)

    async def _answer(self, call: Call, ticket: Ticket | None) -> Response:
        fault = ticket.fault if ticket else None
        wrapped = bool(fault and fault.wrapped)
        try:
            if ticket and fault and not fault.acted:
                early = await _before(call, ticket, fault)
                if early is not None:
                    return early
            response = await self._act(call)
            return await _after(response, ticket, fault) if ticket and fault and fault.acted else response
        except ApiError as injected:
            return _error(injected, wrapped=wrapped)

    async def _act(self, call: Call) -> Response:
        """Authorize and handle the call. A refusal is a reply too, so a fault can still spoil it."""
        try:
            auth.check(self._method.service, call.request, self._tokens, self._world.settings.api_keys)
            if call.fault == "twice":
                await call.keep()
                await self._handler(call)
            return await self._handler(call)
        except ApiError as refused:
            await call.drain()
            return _error(refused, wrapped=False)


async def _before(call: Call, ticket: Ticket, fault: Fault) -> Response | None:
    """Apply a fault before the call is carried out. None: carry it out now."""
    if fault.kind == "hold":
        await ticket.pause()
        return None
    if fault.kind == "drop":
        raise Dropped
    await call.drain()
    if fault.kind == "lost_chunk":
        raise Dropped
    if fault.kind == "error":
        raise fault.as_error()
    if fault.kind == "redirect":
        return RedirectResponse(fault.url, 307)
    return HTMLResponse(_PAGE, fault.status, fault.all_headers())


async def _after(response: Response, ticket: Ticket, fault: Fault) -> Response:
    """Spoil the reply to a call that was carried out."""
    if fault.kind in {"lost_reply", "lost_final_reply"}:
        raise Dropped
    if fault.kind == "hold":
        await ticket.pause()
    elif fault.kind == "error":
        raise fault.as_error()
    elif fault.kind == "html":
        return HTMLResponse(_PAGE, fault.status, fault.all_headers())
    elif fault.kind == "unreadable":
        return Response(b'{"name": "batches/', 200, media_type="application/json; charset=UTF-8")
    elif fault.kind == "misnamed":
        return json_response({"name": fault.message})
    elif fault.kind == "no_status_header" and _STATUS_HEADER in response.headers:
        del response.headers[_STATUS_HEADER]
    return response


def _error(refused: ApiError, *, wrapped: bool) -> Response:
    body = refused.body()
    return json_response([body] if wrapped else body, refused.code, refused.headers)


class _Truncated:
    """Sends half of the bytes that Content-Length promises, then closes."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self._scope = scope
        self._left = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            lengths = [int(value) for name, value in message["headers"] if name == b"content-length"]
            self._left = max(1, lengths[0] // 2) if lengths else 1
            await self._send(message)
            return
        body = message.get("body", b"")[: self._left]
        if self._left and body:
            self._left -= len(body)
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            if not self._left:
                self._scope["state"]["transport"].close()


async def drop(scope: Scope, receive: Receive) -> None:
    """Abort the connection, and wait until the server has noticed."""
    transport: asyncio.Transport = scope["state"]["transport"]
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
