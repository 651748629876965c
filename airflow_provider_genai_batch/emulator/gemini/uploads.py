"""The resumable upload protocol."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from pathlib import Path

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from airflow_provider_genai_batch.emulator.calls.call import Call, json_response
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.gemini.files import check_id, live_file, shown
from airflow_provider_genai_batch.emulator.jobs.records import StoredFile, Upload
from airflow_provider_genai_batch.emulator.jobs.spool import blocks
from airflow_provider_genai_batch.emulator.jsontypes import known_only, words
from airflow_provider_genai_batch.emulator.world import World, random_name

GRANULARITY = 262144
"""Bytes. The size of every chunk except the last is a multiple of this."""

_LARGEST = 2 * 1024**3
_START_BODY = 1 << 20
_FILE = words("name displayName mimeType sizeBytes")
_STATUS = "X-Goog-Upload-Status"
_RECEIVED = "X-Goog-Upload-Size-Received"


async def start(call: Call) -> Response:
    """Begin an upload; the bytes are then sent to the reply's X-Goog-Upload-URL."""
    headers = call.request.headers
    call.query()
    if (
        headers.get("x-goog-upload-protocol") != "resumable"
        or headers.get("x-goog-upload-command") != "start"
    ):
        raise ApiError(400, "Only the resumable protocol with the command 'start' is served here.")
    raw = await call.body(_START_BODY)
    try:
        body = known_only(json.loads(raw) if raw.strip() else {}, {"file"}, "")
    except ValueError as problem:
        raise ApiError(400, "Invalid JSON payload received.") from problem
    wanted = known_only(body.get("file", {}), _FILE, "file")
    name = wanted.get("name")
    if name is not None:
        check_id(str(name).removeprefix("files/"))
        name = f"files/{str(name).removeprefix('files/')}"
        _check_free(call.world, name)
    declared = headers.get("x-goog-upload-header-content-length")
    if declared is not None and (not declared.isdigit() or int(declared) > _LARGEST):
        raise ApiError(400, "X-Goog-Upload-Header-Content-Length must be a number up to 2147483648.")
    upload = Upload(
        id=random_name(48),
        declared=None if declared is None else int(declared),
        mime_type=str(
            headers.get("x-goog-upload-header-content-type")
            or wanted.get("mimeType")
            or "application/octet-stream"
        ),
        wanted_name=name,
        display_name=str(wanted.get("displayName", "")),
    )
    _part(call.world, upload).touch()
    with call.world.lock:
        call.world.uploads[upload.id] = upload
        call.world.save(upload)
    url = f"{call.base_url}{call.request.url.path}?upload_id={upload.id}&upload_protocol=resumable"
    return Response(
        status_code=200,
        headers={
            "X-Goog-Upload-URL": url,
            "X-Goog-Upload-Control-URL": url,
            "X-Goog-Upload-Chunk-Granularity": str(GRANULARITY),
            _STATUS: "active",
        },
    )


async def query(call: Call) -> Response:
    """Return how many bytes of an upload have arrived."""
    await call.drain()
    upload = _found(call)
    headers = {_STATUS: upload.status}
    if upload.status != "cancelled":
        headers[_RECEIVED] = str(upload.received)
        headers["X-Goog-Upload-Chunk-Granularity"] = str(GRANULARITY)
    return Response(status_code=200, headers=headers)


async def cancel(call: Call) -> Response:
    """Abandon an upload."""
    await call.drain()
    upload = _found(call)
    if upload.status == "final":
        raise _refused("The upload has already been finalized.", upload)
    upload.status = "cancelled"
    call.world.save(upload)
    _part(call.world, upload).unlink(missing_ok=True)
    return Response(status_code=200, headers={_STATUS: "cancelled"})


async def upload(call: Call) -> Response:
    """Receive bytes, and with ``finalize`` create the file."""
    upload = _found(call)
    commands = {word.strip() for word in call.request.headers.get("x-goog-upload-command", "").split(",")}
    if not commands or commands - {"upload", "finalize"}:
        raise _refused(f"Unknown upload command: {', '.join(sorted(commands))}", upload)
    if upload.status != "active":
        raise _refused(f"The upload is {upload.status}.", upload)
    if "upload" in commands:
        await _receive(call, upload, last="finalize" in commands)
    else:
        await call.drain()
    if "finalize" not in commands:
        return Response(status_code=200, headers={_STATUS: "active", _RECEIVED: str(upload.received)})
    if upload.declared is not None and upload.received != upload.declared:
        message = f"{upload.received} bytes were received, {upload.declared} were declared."
        raise _refused(message, upload)
    stored = await asyncio.to_thread(_finalize, call.world, upload)
    reply = {"file": shown(stored, call.base_url)}
    return json_response(reply, headers={_STATUS: "final", _RECEIVED: str(upload.received)})


async def _receive(call: Call, upload: Upload, *, last: bool) -> None:
    offset = call.request.headers.get("x-goog-upload-offset", "")
    if offset != str(upload.received):
        message = f"X-Goog-Upload-Offset is {offset or 'missing'}, {upload.received} bytes were received."
        raise _refused(message, upload)
    length = call.request.headers.get("content-length")
    most = _LARGEST if upload.declared is None else upload.declared
    if length is not None and upload.received + int(length) > most:
        raise _refused("More bytes than were declared.", upload)
    if not last and length is not None and int(length) % GRANULARITY:
        message = f"Chunks but the last are a multiple of {GRANULARITY} bytes."
        raise _refused(message, upload)
    size = 0
    with _part(call.world, upload).open("r+b") as part:
        part.seek(upload.received)
        # Bytes behind this position are from a broken request and were never acknowledged.
        part.truncate()
        try:
            async for chunk in call.stream():
                size += len(chunk)
                part.write(chunk)
        except ClientDisconnect:
            # The protocol keeps the whole granules of an interrupted chunk; `query` returns how many bytes these are.
            upload.received += size - size % GRANULARITY
            call.world.save(upload)
            raise
        if upload.received + size > most:
            raise _refused("More bytes than were declared.", upload)
    upload.received += size
    call.world.save(upload)


def _finalize(world: World, upload: Upload) -> StoredFile:
    part = _part(world, upload)
    digest = hashlib.sha256()
    for block in blocks(part):
        digest.update(block)
    name = upload.wanted_name or f"files/{random_name(12)}"
    with world.lock:
        _check_free(world, name)
        stored = StoredFile(
            name,
            upload.mime_type,
            upload.received,
            world.tick(),
            part.name,
            upload.display_name,
            # A capture shows the base64 of the digest's hexadecimal text, not of its bytes.
            base64.b64encode(digest.hexdigest().encode()).decode(),
            seq=world.new_sequence(),
        )
        world.files[name] = stored
        upload.status, upload.file = "final", name
        world.save(stored)
        world.save(upload)
    return stored


def _check_free(world: World, name: str) -> None:
    if live_file(world, name) is not None:
        message = f"Requested entity already exists: {name}"
        raise ApiError(409, message)


def _part(world: World, upload: Upload) -> Path:
    return world.blobs / f"upload-{upload.id}"


def _found(call: Call) -> Upload:
    upload = call.world.uploads.get(call.request.query_params.get("upload_id", ""))
    if upload is None:
        raise ApiError(404, "The upload does not exist.")
    return upload


def _refused(message: str, upload: Upload) -> ApiError:
    return ApiError(400, message, headers={_STATUS: upload.status})
