"""A front before fake-gcs-server: it serves resumable uploads as Google does, and moves; all else passes through.

fake-gcs-server observes ``ifGenerationMatch`` and ``ifGenerationNotMatch`` only on multipart uploads. So this front
keeps the bytes of a resumable upload, and inserts the complete object with one such request. That way the check of the
preconditions and the insertion are one step, even if others write too. Preconditions that would be ignored are refused.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from airflow_provider_genai_batch.emulator.storage.sessions import BadChunkError, Session, Sessions, read_span

_UPLOAD = re.compile(r"/(?:resumable/)?upload/storage/v1/b/([^/]+)/o")
_OBJECTS = re.compile(r"/storage/v1/b/[^/]+/o(?:/|$)")
_MOVE = re.compile(r"(/storage/v1/b/[^/]+)/o/([^/]+)/moveTo/o/([^/]+)")
_COMPOSE = re.compile(r"(/storage/v1/b/[^/]+)/o/[^/]+/compose")
_MOST_SOURCES = 32
_CONDITIONS = (
    "ifGenerationMatch",
    "ifGenerationNotMatch",
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
)
_HONOURED = _CONDITIONS[:2]
_HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer"}
_CLOSE_SECONDS = 10
_NOT_MET = "At least one of the pre-conditions you specified did not hold."


class Front:
    """The ASGI application in front of one server."""

    def __init__(self, *, check_at_start: bool = True) -> None:
        """Begin without a server behind it.

        Args:
            check_at_start: Whether preconditions are also checked when a session is opened, or only at its end.
        """
        self.upstream = ""
        """The address of fake-gcs-server."""
        self._check_at_start = check_at_start
        self._sessions = Sessions()
        self._loop: asyncio.AbstractEventLoop | None = None
        # Shared by all requests: a TLS context costs milliseconds, although all requests here are plain HTTP.
        self._transport = httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self._loop = asyncio.get_running_loop()
        request = Request(scope, receive)
        try:
            answer = await self._own(request)
            if answer is not None:
                await answer(scope, receive, send)
            elif not await self._pass(request, send):
                await _refusal(412, "conditionNotMet", _NOT_MET)(scope, receive, send)
        except ClientDisconnect:
            return  # there is no client to answer
        except httpx.TransportError as trouble:
            answer = _refusal(502, "backendError", f"fake-gcs-server does not answer: {trouble!r}")
            await answer(scope, receive, send)

    def close(self) -> None:
        """Close the sessions and the connections; the server still runs."""
        if self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._transport.aclose(), self._loop).result(_CLOSE_SECONDS)
        self._sessions.close()

    async def _own(self, request: Request) -> Response | None:
        """Answer the requests that do not go to fake-gcs-server; None: this one does."""
        query = request.query_params
        found = _UPLOAD.fullmatch(_raw_path(request.scope))
        if found and "upload_id" in query and request.method in {"PUT", "POST"}:
            return await self._continue(request, query["upload_id"])
        if found and "upload_id" in query and request.method == "DELETE":
            known = self._sessions.find(query["upload_id"])
            self._sessions.drop(query["upload_id"])
            return Response(status_code=499) if known else _no_session()
        if found and request.method == "POST" and query.get("uploadType") == "resumable":
            return await self._start(request, unquote(found[1]))
        in_one = found and query.get("uploadType") == "multipart"
        ignored = [name for name in _CONDITIONS if name in query and not (in_one and name in _HONOURED)]
        if ignored and request.method not in {"GET", "HEAD"}:
            message = f"The stand-in for Cloud Storage would ignore {', '.join(ignored)} here."
            return _refusal(501, "notImplemented", message)
        composed = _COMPOSE.fullmatch(_raw_path(request.scope))
        if composed and request.method == "POST":
            return await self._compose(request, composed[1])
        move = _MOVE.fullmatch(_raw_path(request.scope))
        return await self._move(*move.groups()) if move and request.method == "POST" else None

    async def _move(self, bucket: str, source: str, target: str) -> Response:
        """Rename an object within its bucket. Unlike Google's, this is not one step."""
        own = bucket.removeprefix("/storage/v1")
        copied = await self._ask("POST", f"{bucket}/o/{source}/copyTo{own}/o/{target}")
        if copied.is_success and source != target:
            await self._ask("DELETE", f"{bucket}/o/{source}")
        return Response(
            with_generations(copied.content),
            copied.status_code,
            media_type=copied.headers.get("content-type"),
        )

    async def _compose(self, request: Request, bucket: str) -> Response | None:
        """Check what fake-gcs-server does not check: the number of sources and their generations."""
        try:
            sources = [dict(one) for one in json.loads(await request.body())["sourceObjects"]]
            named = [
                (str(one["name"]), one.get("objectPreconditions", {}).get("ifGenerationMatch"))
                for one in sources
            ]
        except (AttributeError, KeyError, TypeError, ValueError):
            return _refusal(400, "required", "Required: sourceObjects, each with a name.")
        if not 1 <= len(named) <= _MOST_SOURCES:
            return _refusal(
                400, "invalid", f"The number of source components ({len(named)}) must be 1 to 32."
            )
        for name, generation in named:
            found = await self._ask("GET", f"{bucket}/o/{quote(name, safe='')}")
            if not found.is_success:
                return _refusal(404, "notFound", f"Object {name} not found.")
            if generation is not None and str(found.json().get("generation")) != str(generation):
                return _refusal(412, "conditionNotMet", _NOT_MET)
        return None

    async def _start(self, request: Request, bucket: str) -> Response:
        """Open a session."""
        query = dict(request.query_params)
        raw = await request.body()
        try:
            metadata = dict(json.loads(raw)) if raw.strip() else {}
            conditions = {name: int(query[name]) for name in _HONOURED if name in query}
        except (TypeError, ValueError):
            return _refusal(400, "invalid", "Invalid JSON payload or precondition.")
        name = query.get("name") or metadata.get("name")
        if not name or metadata.get("name", name) != name:
            return _refusal(400, "required", "The object needs one name, in the query or in its resource.")
        if set(query) & set(_CONDITIONS) - set(_HONOURED):
            return _refusal(
                501, "notImplemented", "The stand-in for Cloud Storage knows no metagenerations here."
            )
        place = f"/storage/v1/b/{quote(bucket, safe='')}"
        if (await self._ask("GET", place)).status_code == 404:
            return _refusal(404, "notFound", "The specified bucket does not exist.")
        if conditions and self._check_at_start:
            found = await self._ask("GET", f"{place}/o/{quote(name, safe='')}")
            generation = 0 if found.status_code == 404 else int(found.json()["generation"])
            if not _hold(conditions, generation):
                return _refusal(412, "conditionNotMet", _NOT_MET)
        kind = request.headers.get("x-upload-content-type") or metadata.get("contentType")
        own = {key: value for key, value in query.items() if key not in {"uploadType", "name"}}
        session = Session(bucket, own, {**metadata, "name": name}, kind or "application/octet-stream")
        # As on the real service, the address repeats the query of the request.
        again = urlencode(
            {**query, "uploadType": "resumable", "name": name, "upload_id": self._sessions.open(session)}
        )
        location = f"http://{request.headers['host']}/upload/storage/v1/b/{quote(bucket, safe='')}/o?{again}"
        return Response(status_code=200, headers={"Location": location})

    async def _continue(self, request: Request, name: str) -> Response:
        """Receive a chunk, or report how many bytes have arrived."""
        session = self._sessions.find(name)
        if session is None:
            return _no_session()
        length = request.headers.get("content-length")
        async with session.turn:
            if session.answer is None:
                try:
                    span = read_span(
                        request.headers.get("content-range"), None if length is None else int(length)
                    )
                    whole = await session.take(span, request.stream())
                except BadChunkError as problem:
                    return _refusal(400, "invalid", str(problem))
                if not whole:
                    return _incomplete(session, go="x-guploader-no-308" in request.headers)
                inserted = await self._insert(session)
                if inserted.status_code == 412:
                    return _refusal(412, "conditionNotMet", _NOT_MET)
                if inserted.is_error:
                    return Response(inserted.content, inserted.status_code, media_type="application/json")
                session.end(with_generations(inserted.content))
            return Response(session.answer, media_type="application/json")

    async def _insert(self, session: Session) -> httpx.Response:
        """Insert the whole object with one request, which checks the preconditions."""
        mark = uuid.uuid4().hex
        resource = json.dumps(session.metadata)
        head = f"--{mark}\r\nContent-Type: application/json\r\n\r\n{resource}\r\n".encode()
        head += f"--{mark}\r\nContent-Type: {session.content_type}\r\n\r\n".encode()
        tail = f"\r\n--{mark}--\r\n".encode()

        async def body() -> AsyncIterator[bytes]:
            yield head
            for piece in session.content():
                yield piece
            yield tail

        query = {**session.query, "uploadType": "multipart", "name": session.metadata["name"]}
        return await self._ask(
            "POST",
            f"/upload/storage/v1/b/{quote(session.bucket, safe='')}/o?{urlencode(query)}",
            headers={
                "Content-Type": f"multipart/related; boundary={mark}",
                "Content-Length": str(len(head) + session.received + len(tail)),
            },
            content=body(),
        )

    async def _ask(self, verb: str, target: str, **how: Any) -> httpx.Response:
        """Send a request of the front's own to fake-gcs-server, and read the whole answer."""
        reply = await self._transport.handle_async_request(httpx.Request(verb, self.upstream + target, **how))
        await reply.aread()
        return reply

    async def _pass(self, request: Request, send: Send) -> bool:
        """Pass a request on, and its answer back, piece by piece and unchanged; False for a 412, not yet answered."""
        scope = request.scope
        target = _raw_path(scope).encode("ascii")
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP_BY_HOP]
        has_body = any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])
        passed = httpx.Request(
            request.method,
            httpx.URL(self.upstream),
            headers=headers,
            content=request.stream() if has_body else None,
            # The path is sent unchanged, because its quoting belongs to the object's name.
            extensions={"target": target},
        )
        reply = await self._transport.handle_async_request(passed)
        try:
            if reply.status_code == 412:
                return False
            kept = [
                (name.lower(), value) for name, value in reply.headers.raw if name.lower() not in _HOP_BY_HOP
            ]
            if _shows_objects(request, reply):
                body = with_generations(await reply.aread())
                kept = [
                    (name, value)
                    for name, value in kept
                    if name not in {b"content-length", b"content-encoding"}
                ]
                kept.append((b"content-length", str(len(body)).encode()))
                await send({"type": "http.response.start", "status": reply.status_code, "headers": kept})
                await send({"type": "http.response.body", "body": body})
                return True
            await send({"type": "http.response.start", "status": reply.status_code, "headers": kept})
            async for piece in reply.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return True
        finally:
            await reply.aclose()


def _shows_objects(request: Request, reply: httpx.Response) -> bool:
    """Return whether a reply contains resources of objects, rather than the bytes of one."""
    path = _raw_path(request.scope)
    is_json = reply.headers.get("content-type", "").startswith("application/json")
    bytes_wanted = request.query_params.get("alt") == "media" or not _OBJECTS.search(path)
    return reply.is_success and is_json and not bytes_wanted and request.method != "HEAD"


def with_generations(body: bytes) -> bytes:
    """Return resources with ids in Cloud Storage's form: ``bucket/object/generation``.

    fake-gcs-server omits the generation.
    """
    try:
        shown = json.loads(body)
    except ValueError:
        return body
    if not isinstance(shown, dict):
        return body
    resource = shown.get("resource")
    for one in (shown, resource if isinstance(resource, dict) else {}, *(shown.get("items") or ())):
        if one.get("kind") == "storage#object" and one.get("generation"):
            one["id"] = f"{one.get('bucket')}/{one.get('name')}/{one['generation']}"
    return json.dumps(shown).encode()


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope["raw_path"]
    return raw.decode("ascii")


def _hold(conditions: Mapping[str, int], generation: int) -> bool:
    """Return whether preconditions hold; generation 0 means that there is no object."""
    wanted, unwanted = (conditions.get(name) for name in _HONOURED)
    return wanted in {None, generation} and unwanted != generation


def _incomplete(session: Session, *, go: bool) -> Response:
    """Answer how many bytes of an upload have arrived; Google's client for Go does not accept a 308."""
    headers = {"Range": f"bytes=0-{session.received - 1}"} if session.received else {}
    if go:
        return Response(status_code=200, headers={**headers, "X-Http-Status-Code-Override": "308"})
    return Response(status_code=308, headers=headers)


def _no_session() -> Response:
    return _refusal(404, "notFound", "No such upload session.")


def _refusal(code: int, reason: str, message: str) -> JSONResponse:
    """Build an error in the form of the JSON API."""
    one: dict[str, str] = {"message": message, "domain": "global", "reason": reason}
    if reason == "conditionNotMet":
        one |= {"locationType": "header", "location": "If-Match"}
    return JSONResponse({"error": {"code": code, "message": message, "errors": [one]}}, code)
