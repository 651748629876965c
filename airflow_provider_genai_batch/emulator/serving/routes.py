"""Every route of the emulator."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from airflow_provider_genai_batch.emulator.credentials.oauth import Tokens
from airflow_provider_genai_batch.emulator.gemini import batches, files, uploads
from airflow_provider_genai_batch.emulator.gemini import online as gemini_online
from airflow_provider_genai_batch.emulator.request_log import Entry
from airflow_provider_genai_batch.emulator.serving import oauth_routes
from airflow_provider_genai_batch.emulator.serving.pipeline import Endpoint, Handler
from airflow_provider_genai_batch.emulator.vertex import jobs, operations
from airflow_provider_genai_batch.emulator.vertex import online as vertex_online
from airflow_provider_genai_batch.emulator.world import World


class _Segment(Convertor[str]):
    """A path segment up to a custom verb, which begins with a colon."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _GeminiVersion(_Segment):
    regex = "v1|v1beta|v1alpha"


class _VertexVersion(_Segment):
    regex = "v1|v1beta1"


register_url_convertor("segment", _Segment())
register_url_convertor("gemini", _GeminiVersion())
register_url_convertor("vertex", _VertexVersion())

_GEMINI: tuple[tuple[str, str, str, Handler], ...] = (
    ("POST", "/models/{model:segment}:batchGenerateContent", "batches.create", batches.create),
    ("POST", "/tunedModels/{model:segment}:batchGenerateContent", "batches.create", batches.create),
    (
        "POST",
        "/models/{model:segment}:asyncBatchEmbedContent",
        "batches.createEmbeddings",
        batches.create_embeddings,
    ),
    ("POST", "/models/{model:segment}:generateContent", "models.generateContent", gemini_online.generate),
    ("POST", "/models/{model:segment}:embedContent", "models.embedContent", gemini_online.embed),
    (
        "POST",
        "/models/{model:segment}:batchEmbedContents",
        "models.batchEmbedContents",
        gemini_online.embed_many,
    ),
    ("POST", "/models/{model:segment}:countTokens", "models.countTokens", gemini_online.count),
    ("GET", "/batches/{batch:segment}", "batches.get", batches.get),
    ("GET", "/batches", "batches.list", batches.list_),
    ("POST", "/batches/{batch:segment}:cancel", "batches.cancel", batches.cancel),
    ("DELETE", "/batches/{batch:segment}", "batches.delete", batches.delete),
    ("GET", "/files/{file:segment}:download", "files.download", files.download),
    ("GET", "/files/{file:segment}", "files.get", files.get),
    ("GET", "/files", "files.list", files.list_),
    ("DELETE", "/files/{file:segment}", "files.delete", files.delete),
)

_JOBS = "/projects/{project:segment}/locations/{location:segment}/batchPredictionJobs"
_MODEL = "/projects/{project:segment}/locations/{location:segment}/publishers/google/models/{model:segment}"
_OPERATION = "/projects/{project:segment}/locations/{location:segment}/operations/{operation:segment}"

_VERTEX: tuple[tuple[str, str, str, Handler], ...] = (
    ("POST", _JOBS, "batchPredictionJobs.create", jobs.create),
    ("GET", _JOBS, "batchPredictionJobs.list", jobs.list_),
    ("GET", _JOBS + "/{job:segment}", "batchPredictionJobs.get", jobs.get),
    ("DELETE", _JOBS + "/{job:segment}", "batchPredictionJobs.delete", jobs.delete),
    ("POST", _JOBS + "/{job:segment}:cancel", "batchPredictionJobs.cancel", jobs.cancel),
    ("POST", _MODEL + ":generateContent", "publishers.models.generateContent", vertex_online.generate),
    ("POST", _MODEL + ":countTokens", "publishers.models.countTokens", vertex_online.count),
    ("GET", _OPERATION, "operations.get", operations.get),
)


class _Upload:
    """One path with four methods; a header selects the method."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._start = Endpoint(world, tokens, "files.start", uploads.start)
        self._upload = Endpoint(world, tokens, "files.upload", uploads.upload)
        self._query = Endpoint(world, tokens, "files.query", uploads.query)
        self._cancel = Endpoint(world, tokens, "files.cancel", uploads.cancel)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        command = request.headers.get("x-goog-upload-command", "")
        endpoint = self._upload
        if "upload_id" not in request.query_params:
            endpoint = self._start
        elif command in {"query", "cancel"}:
            endpoint = self._query if command == "query" else self._cancel
        await endpoint(scope, receive, send)


def application(world: World, tokens: Tokens, control: list[BaseRoute]) -> Starlette:
    """Return the whole application."""

    async def nothing_here(request: Request) -> Response:
        entry = Entry(None, request)
        entry.data["status"] = 404
        world.requests.add(entry)
        text = f"<html><title>Error 404 (Not Found)!!1</title><p>The URL {request.url.path} was not found."
        return HTMLResponse(text, 404)

    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    fallback = Route("/{rest:path}", nothing_here, methods=verbs)
    return Starlette(routes=[*control, *_routes(world, tokens), fallback])


def _routes(world: World, tokens: Tokens) -> Iterator[BaseRoute]:
    for verb, path, method, handler in _GEMINI:
        yield Route("/{version:gemini}" + path, Endpoint(world, tokens, method, handler), methods=[verb])
    download = Endpoint(world, tokens, "files.download", files.download)
    yield Route("/download/{version:gemini}/files/{file:segment}:download", download, methods=["GET"])
    for verb, path, method, handler in _VERTEX:
        yield Route("/{version:vertex}" + path, Endpoint(world, tokens, method, handler), methods=[verb])
    # Google's REST clients read operations of every kind here.
    operation = Endpoint(world, tokens, "operations.get", operations.get)
    yield Route("/ui" + _OPERATION, operation, methods=["GET"])
    yield Route("/token", Endpoint(world, tokens, "oauth.token", oauth_routes.token), methods=["POST"])
    impersonate = Endpoint(world, tokens, "iam.generateAccessToken", oauth_routes.generate_access_token)
    yield Route("/v1/projects/-/serviceAccounts/{account}:generateAccessToken", impersonate, methods=["POST"])
    upload = _Upload(world, tokens)
    yield Route("/upload/{version:gemini}/files", upload, methods=["POST", "PUT"])
