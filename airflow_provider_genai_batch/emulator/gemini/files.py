"""Files: metadata and download."""

from __future__ import annotations

import re

from starlette.responses import FileResponse, Response

from airflow_provider_genai_batch.emulator.calls.call import Call, json_response
from airflow_provider_genai_batch.emulator.calls.paging import page_size
from airflow_provider_genai_batch.emulator.clock import nanos_text
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.gemini.view import readable
from airflow_provider_genai_batch.emulator.jobs.progress import GEMINI_LIMIT_NS
from airflow_provider_genai_batch.emulator.jobs.records import StoredFile
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, words
from airflow_provider_genai_batch.emulator.world import World

KNOWN = words(
    "name displayName mimeType sizeBytes createTime updateTime expirationTime sha256Hash uri "
    "downloadUri state source error videoMetadata"
)
LONGEST_ID = 40
_ID = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LIFE_NS = GEMINI_LIMIT_NS
_DEFAULT_PAGE = 10
_LARGEST_PAGE = 100


def check_id(file_id: str) -> None:
    """Refuse an id that breaks the published rule; the ids of generated outputs break it too.

    Raises:
        ApiError: 400 if it breaks the rule.
    """
    if len(file_id) > LONGEST_ID:
        message = f"* GetFileRequest.name: File ID must be at most {LONGEST_ID} characters long: {file_id}"
        raise ApiError(400, message)
    if not _ID.fullmatch(file_id):
        message = (
            f"* GetFileRequest.name: File ID must consist of lowercase letters, digits and dashes, and not "
            f"begin or end with a dash: {file_id}"
        )
        raise ApiError(400, message)


def live_file(world: World, name: str) -> StoredFile | None:
    """Return an uploaded file, unless it was deleted or is 48 hours old."""
    with world.lock:
        stored = world.files.get(name)
        if stored is not None and stored.job is None and world.clock.now_ns() >= stored.created_ns + _LIFE_NS:
            forget(world, stored)
            return None
    return stored


def forget(world: World, stored: StoredFile) -> None:
    """Remove a file and its bytes."""
    with world.lock:
        world.files.pop(stored.name, None)
        world.store.drop("file", stored.name)
    (world.blobs / stored.blob).unlink(missing_ok=True)


def input_file(world: World, name: str) -> StoredFile:
    """Return the uploaded file that a batch names as its input.

    Raises:
        ApiError: 400 if it is not a file name, 403 if there is no such file.
    """
    if not name.startswith("files/"):
        message = f"* CreateBatchRequest.batch.input_config.file_name: invalid file name: {name}"
        raise ApiError(400, message)
    stored = live_file(world, name)
    if stored is None:
        raise gone(name)
    return stored


def gone(name: str) -> ApiError:
    """Return the live service's error for a file that does not exist or belongs to others: 403, not 404."""
    message = (
        f"You do not have permission to access the File {name.removeprefix('files/')} or it may not exist."
    )
    return ApiError(403, message)


def shown(stored: StoredFile, base_url: str) -> JsonObject:
    """Return the File resource."""
    result: JsonObject = {"name": stored.name}
    if stored.display_name:
        result["displayName"] = stored.display_name
    result |= {
        "mimeType": stored.mime_type,
        "sizeBytes": str(stored.size),
        "createTime": nanos_text(stored.created_ns),
        "updateTime": nanos_text(stored.created_ns),
        "expirationTime": nanos_text(stored.created_ns + _LIFE_NS),
        "sha256Hash": stored.sha256,
        "uri": f"{base_url}/v1beta/{stored.name}",
        "state": "ACTIVE",
        "source": "UPLOADED",
    }
    return {name: value for name, value in result.items() if value not in {"", "0"}}


def _found(call: Call) -> StoredFile:
    file_id = call.param("file")
    check_id(file_id)
    stored = live_file(call.world, f"files/{file_id}")
    if stored is None or stored.job is not None:
        raise gone(file_id)
    return stored


async def get(call: Call) -> Response:
    """Show one uploaded file."""
    call.query()
    return call.reply(shown(_found(call), call.base_url), KNOWN)


async def list_(call: Call) -> Response:
    """List uploaded files, newest first; generated outputs are not shown."""
    query = call.query("pageSize", "pageToken")
    size = page_size(query.get("pageSize"), _DEFAULT_PAGE, _LARGEST_PAGE)
    token = query.get("pageToken") or ""
    if token and not token.isdigit():
        raise ApiError(400, "Invalid page token.")
    world = call.world
    with world.lock:
        uploaded = [
            one for one in world.files.values() if one.job is None and (not token or one.seq <= int(token))
        ]
    alive = [one for one in sorted(uploaded, key=lambda one: -one.seq) if live_file(world, one.name)]
    answer: JsonObject = {}
    if alive:
        answer["files"] = [shown(one, call.base_url) for one in alive[:size]]
    if len(alive) > size:
        answer["nextPageToken"] = str(alive[size].seq)
    return call.reply(answer, {"files", "nextPageToken"})


async def delete(call: Call) -> Response:
    """Remove an uploaded file."""
    call.query()
    forget(call.world, _found(call))
    return json_response({})


async def download(call: Call) -> Response:
    """Send the bytes of a generated file; uploaded ones cannot be downloaded."""
    query = call.query()
    if query.get("alt") != "media":
        raise ApiError(400, "Downloading a file requires alt=media.")
    world = call.world
    name = f"files/{call.param('file')}"
    stored = live_file(world, name)
    if stored is None:
        # Captures of the live service show 404 once the batch is deleted.
        raise ApiError(404, "Requested entity was not found.")
    if stored.job is None:
        message = f"File {name} was not generated by the API and cannot be downloaded."
        raise ApiError(400, message, "FAILED_PRECONDITION")
    job = world.jobs[stored.job]
    job.reads += 1
    world.save(job)
    if not readable(world, job):
        raise ApiError(404, "Requested entity was not found.")
    return FileResponse(world.blobs / stored.blob, media_type=stored.mime_type)
