"""The only module that uses HTTP. To replace httpx by a fork of it, change the import below."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any

import httpx

from airflow_provider_genai_batch.client.transport.content_encoding import ACCEPTED, decoder
from airflow_provider_genai_batch.client.transport.lanes import Lanes
from airflow_provider_genai_batch.client.transport.redaction import redacted
from airflow_provider_genai_batch.exceptions import TransportError, UnreadableAnswer
from airflow_provider_genai_batch.wire.services.errors import api_error
from airflow_provider_genai_batch.wire.services.http import HttpAnswer, HttpRequest

_NO_TLS = "WRONG_VERSION_NUMBER"
"""What OpenSSL says of a server that does not speak TLS."""
_TIMEOUT = {"connect": 20.0, "read": 120.0, "write": 120.0, "pool": 120.0}
_CREDENTIAL_HEADERS = ("x-goog-api-key", "authorization", "x-goog-user-project")
_ORIGIN = "genai_batch_origin"
MAX_CONNECTIONS = 10
_PIECE_BYTES = 256 * 1024
MAX_ANSWER_BYTES = 512 * 1024**2
"""The largest answer that is held in memory, decompressed: a job with inline rows. Files are streamed."""


class _HideUploads(logging.Filter):
    """Removes the id from upload URLs that httpx and httpcore log, because anybody with the id can write the upload."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Edit the record, and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(_plain(arg) for arg in record.args)
        if isinstance(record.msg, str) and "upload_id" in record.msg:
            record.msg = _UPLOAD_ID.sub("upload_id=...", record.msg)
        return True


def _plain(arg: object) -> object:
    is_upload = isinstance(arg, httpx.URL) and b"upload" in arg.raw_path
    return arg.copy_with(query=None) if is_upload and isinstance(arg, httpx.URL) else arg


_UPLOAD_ID = re.compile(r"upload_id=[^&'\"\s]+")
for _name in ("httpx", "httpcore.http11", "httpcore.http2"):
    logging.getLogger(_name).addFilter(_HideUploads())


@lru_cache(maxsize=1)
def ssl_context() -> ssl.SSLContext:
    """Build the TLS settings once per process, because that takes tens of milliseconds and nearly a megabyte."""
    return httpx.create_ssl_context()


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _drop_credentials_elsewhere(request: httpx.Request) -> None:
    """Remove the credentials from a request that a redirect sends to another origin; httpx removes only one header."""
    if request.extensions.get(_ORIGIN) not in (None, _origin(request.url)):
        for name in _CREDENTIAL_HEADERS:
            request.headers.pop(name, None)


async def _drop_credentials_elsewhere_async(request: httpx.Request) -> None:
    _drop_credentials_elsewhere(request)


_url = lru_cache(maxsize=64)(httpx.URL)
"""Parses a URL; cached, because immediate calls all go to one URL."""


def _build(
    client: httpx.Client | httpx.AsyncClient, request: HttpRequest, extra: Mapping[str, str]
) -> httpx.Request:
    url = _url(request.url)
    built = client.build_request(
        request.verb,
        url,
        params=list(request.query) or None,
        headers=[*request.headers, *extra.items()],
        extensions={_ORIGIN: _origin(url)},
        **_waiting(request),
    )
    if request.body is not None:
        built.headers["content-length"] = str(len(request.body))
        built.stream = _Body(request.body)
    return built


def _waiting(request: HttpRequest) -> dict[str, Any]:
    if request.read_timeout is None:
        return {}
    return {"timeout": httpx.Timeout(**{**_TIMEOUT, "read": request.read_timeout})}


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Bytes to send, which are freed after sending.

    The request objects of httpx and httpcore refer to themselves, so they stay in memory until the garbage collector
    runs; in a large upload, that would keep all chunks. The bytes are sent in pieces that a socket accepts at once,
    because the rest of a larger piece is copied each time that the socket accepts some of it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        data, self._data = self._data, b""
        for begin in range(0, len(data), _PIECE_BYTES):
            yield data[begin : begin + _PIECE_BYTES]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        data, self._data = self._data, b""
        for begin in range(0, len(data), _PIECE_BYTES):
            yield data[begin : begin + _PIECE_BYTES]


def _settings(max_connections: int) -> dict[str, Any]:
    return {
        "verify": ssl_context(),
        "timeout": httpx.Timeout(**_TIMEOUT),
        "limits": httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
    }


def _trouble(error: Exception) -> TransportError:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if _NO_TLS in text:
        text += ". The server answers in plain http; if that is right, begin Host with http://"
    return TransportError(text)


def _read(response: httpx.Response) -> bytes:
    """Read a whole answer, up to `MAX_ANSWER_BYTES`.

    Raises:
        UnreadableAnswer: it is larger.
    """
    parts, size = list[bytes](), 0
    for chunk in response.iter_bytes():
        size = _checked(size + len(chunk))
        parts.append(chunk)
    return b"".join(parts)


async def _aread(response: httpx.Response) -> bytes:
    """Read a whole answer; see `_read`."""
    parts, size = list[bytes](), 0
    async for chunk in response.aiter_bytes():
        size = _checked(size + len(chunk))
        parts.append(chunk)
    return b"".join(parts)


def _checked(size: int) -> int:
    if size > MAX_ANSWER_BYTES:
        msg = f"the answer is larger than {MAX_ANSWER_BYTES} bytes, and was not read to its end"
        raise UnreadableAnswer(msg)
    return size


def _answer(response: httpx.Response, body: bytes, credentials: Mapping[str, str]) -> HttpAnswer:
    """Make an `HttpAnswer`. Unless it is JSON of a success, credentials are removed, because errors quote the body."""
    if response.status_code >= 300 or not body.lstrip().startswith((b"{", b"[")):
        body = redacted(body, credentials)
    return HttpAnswer(response.status_code, response.headers, body)


class SyncHttp:
    """A pooled client that sends `HttpRequest` values."""

    def __init__(self) -> None:
        self._client = httpx.Client(
            event_hooks={"request": [_drop_credentials_elsewhere]}, **_settings(MAX_CONNECTIONS)
        )

    def send(self, request: HttpRequest, credentials: Mapping[str, str]) -> HttpAnswer:
        """Send and read the whole answer.

        Raises:
            TransportError: no whole answer came.
        """
        try:
            built = _build(self._client, request, credentials)
            response = self._client.send(built, follow_redirects=request.verb == "GET", stream=True)
            try:
                return _answer(response, _read(response), credentials)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _trouble(error) from error

    @contextmanager
    def stream(
        self, request: HttpRequest, credentials: Mapping[str, str], method: str
    ) -> Iterator[Iterator[bytes]]:
        """Send and hand out the answer's bytes as they come.

        Raises:
            ApiError: the service refused.
            TransportError: the answer broke off.
        """
        try:
            built = _build(self._client, request, {**credentials, "Accept-Encoding": ACCEPTED})
            response = self._client.send(built, stream=True, follow_redirects=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _trouble(error) from error
        try:
            if response.status_code not in (200, 206):
                try:
                    body = _read(response)
                except httpx.HTTPError as error:
                    raise _trouble(error) from error
                raise api_error(_answer(response, body, credentials), method)
            yield self._chunks(response)
        finally:
            response.close()

    @staticmethod
    def _chunks(response: httpx.Response) -> Iterator[bytes]:
        decode = decoder(response.headers.get("content-encoding", ""))
        try:
            for chunk in response.iter_raw():
                yield from decode.feed(chunk)
        except httpx.HTTPError as error:
            raise _trouble(error) from error
        decode.end()

    def close(self) -> None:
        """Close the pool."""
        self._client.close()


def _open_lane() -> httpx.AsyncClient:
    hooks = {"request": [_drop_credentials_elsewhere_async]}
    return httpx.AsyncClient(event_hooks=hooks, **_settings(1))


class AsyncHttp:
    """`SyncHttp` for one event loop."""

    def __init__(self, max_connections: int = MAX_CONNECTIONS) -> None:
        self._lanes = Lanes(_open_lane, max_connections, _TIMEOUT["pool"])

    async def send(self, request: HttpRequest, credentials: Mapping[str, str]) -> HttpAnswer:
        """Send and read the whole answer.

        Raises:
            TransportError: no whole answer came.
        """
        try:
            async with self._lanes.one() as client:
                built = _build(client, request, credentials)
                response = await client.send(built, follow_redirects=request.verb == "GET", stream=True)
                try:
                    return _answer(response, await _aread(response), credentials)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _trouble(error) from error

    @asynccontextmanager
    async def stream(
        self, request: HttpRequest, credentials: Mapping[str, str], method: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send and hand out the answer's bytes as they come.

        Raises:
            ApiError: the service refused.
            TransportError: the answer broke off.
        """
        async with AsyncExitStack() as stack:
            try:
                client = await stack.enter_async_context(self._lanes.one())
                built = _build(client, request, {**credentials, "Accept-Encoding": ACCEPTED})
                response = await client.send(built, stream=True, follow_redirects=True)
                stack.push_async_callback(response.aclose)
                if response.status_code not in (200, 206):
                    body = await _aread(response)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _trouble(error) from error
            if response.status_code not in (200, 206):
                raise api_error(_answer(response, body, credentials), method)
            yield self._chunks(response)

    @staticmethod
    async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
        decode = decoder(response.headers.get("content-encoding", ""))
        try:
            async for chunk in response.aiter_raw():
                for piece in decode.feed(chunk):
                    yield piece
        except httpx.HTTPError as error:
            raise _trouble(error) from error
        decode.end()

    async def close(self) -> None:
        """Close the pool."""
        await self._lanes.close()
