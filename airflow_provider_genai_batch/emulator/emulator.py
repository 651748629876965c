"""The emulator as a context manager."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.emulator.capacity import Capacity
from airflow_provider_genai_batch.emulator.clock import Clock, VirtualClock
from airflow_provider_genai_batch.emulator.credentials import oauth
from airflow_provider_genai_batch.emulator.faults.queue import Faults
from airflow_provider_genai_batch.emulator.gemini import output as gemini_output
from airflow_provider_genai_batch.emulator.jobs.lifecycle import Lifecycle
from airflow_provider_genai_batch.emulator.jobs.script import JobScript
from airflow_provider_genai_batch.emulator.model.respond import Answer, Responder
from airflow_provider_genai_batch.emulator.serving.control import Control, force
from airflow_provider_genai_batch.emulator.serving.routes import application
from airflow_provider_genai_batch.emulator.serving.server import ServerThread
from airflow_provider_genai_batch.emulator.stand_ins import StandIns
from airflow_provider_genai_batch.emulator.switches import Switches
from airflow_provider_genai_batch.emulator.vertex import run as vertex_run
from airflow_provider_genai_batch.emulator.vertex.late import publish_due
from airflow_provider_genai_batch.emulator.world import Settings, World

if TYPE_CHECKING:
    from typing_extensions import Self

STAGING_BUCKET = "emulator-staging"


class Unspent(AssertionError):
    """No call used some faults or scripts, so the test did not do what it says."""

    def __init__(self, left: list[str]) -> None:
        """Name the unused faults and scripts."""
        super().__init__("never happened: " + "; ".join(left))
        self.left = left


class Emulator:
    """Gemini, Files, Vertex AI and a token endpoint on one port. The docstring of the package is the manual."""

    def __init__(  # noqa: PLR0913 - independent, keyword-only choices
        self,
        *,
        port: int = 0,
        directory: str | Path | None = None,
        clock: Clock | None = None,
        lifecycle: Lifecycle | None = None,
        answer: Answer | None = None,
        api_keys: Iterable[str] | None = None,
        storage: Any = False,
        bigquery: Any = False,
        host: str = "127.0.0.1",
        token_ttl: int = 3600,
        switches: Switches | None = None,
    ) -> None:
        """Set how the emulator behaves; nothing runs before ``start``."""
        self._port = port
        self._host = host
        self._directory = None if directory is None else Path(directory)
        self.clock = clock or VirtualClock()
        keys = None if api_keys is None else frozenset(api_keys)
        self._settings = Settings(lifecycle or Lifecycle(looks=1), keys, token_ttl, switches or Switches())
        self._responder = Responder(answer)
        self._stand_ins = StandIns(storage, bigquery, self._directory)
        self._running: ExitStack | None = None
        self._world_now: World | None = None
        self._tokens: oauth.Tokens | None = None
        self.url = ""

    def start(self) -> Self:
        """Start the stand-ins and the server; return when they are ready."""
        with ExitStack() as stack:
            folder = self._directory
            if folder is None:
                folder = Path(tempfile.mkdtemp(prefix="genai-batch-emulator-"))
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            world = World(
                folder, self._settings, self.clock, self._responder, keep=self._directory is not None
            )
            stack.callback(world.close)
            world.producers = {"gemini": gemini_output.produce, "vertex": vertex_run.produce}
            stack.enter_context(self._stand_ins)
            world.storage, world.bigquery = self._stand_ins.storage, self._stand_ins.bigquery
            if world.storage is not None and not world.storage.bucket_exists(STAGING_BUCKET):
                world.storage.create_bucket(STAGING_BUCKET)
            self._tokens = oauth.Tokens(self.clock, self._settings.token_ttl, world.kept_text("key"))
            self._world_now = world
            world.on_advance(lambda: publish_due(world))
            app = application(world, self._tokens, Control(world, self.connection).routes())
            server = ServerThread(app, self._host, self._port)
            self.url = f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{server.port}"
            server.start()
            stack.callback(server.stop)
            stack.callback(world.faults.clear)
            self._running = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop everything that ``start`` has started."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop, and report unused faults and scripts, unless another exception is already being raised.

        Raises:
            Unspent: Some faults or scripts were not used.
        """
        left = [str(ticket) for ticket in self.faults.unspent]
        left += [f"script {script.to_json()}" for _, script in self._world.scripts]
        self.stop()
        if left and error is None:
            raise Unspent(left)

    @property
    def _world(self) -> World:
        if self._world_now is None:
            message = "the emulator was not started"
            raise RuntimeError(message)
        return self._world_now

    @property
    def faults(self) -> Faults:
        """The queue of faults."""
        return self._world.faults

    @property
    def date_skew(self) -> float:
        """Seconds by which the ``Date`` of replies is ahead of the clock of job times; may be set."""
        return self._world.date_skew

    @date_skew.setter
    def date_skew(self, seconds: float) -> None:
        self._world.date_skew = seconds

    @property
    def switches(self) -> Switches:
        """Choices about the services as a whole; may be set."""
        return self._world.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self._world.switches = switches

    @property
    def capacity(self) -> Capacity:
        """The limits of online calls; may be set, and applies from then on."""
        return self._world.capacity

    @capacity.setter
    def capacity(self, capacity: Capacity) -> None:
        self._world.capacity = capacity

    @property
    def storage_url(self) -> str:
        """The address of the stand-in for Cloud Storage; empty without one."""
        return self._stand_ins.storage_url

    @property
    def bigquery_url(self) -> str:
        """The address of the stand-in for BigQuery; empty without one."""
        return self._stand_ins.bigquery_url

    @property
    def storage(self) -> Any:
        """The stand-in for Cloud Storage, or None."""
        return self._stand_ins.storage

    @property
    def bigquery(self) -> Any:
        """The stand-in for BigQuery, or None."""
        return self._stand_ins.bigquery

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Snapshots of all jobs that were ever created, oldest first."""
        return self._world.snapshot()

    @property
    def requests(self) -> list[dict[str, Any]]:
        """All requests, oldest first."""
        return self._world.requests.snapshot()

    def clear_requests(self) -> None:
        """Delete the list of requests."""
        self._world.requests.clear()

    def script(self, script: JobScript, backend: str | None = None) -> None:
        """Queue a script: the next job created (of that backend) uses it."""
        with self._world.lock:
            self._world.scripts.append((backend, script))

    def force(self, name: str, state: str, error: dict[str, Any] | None = None) -> None:
        """Put a job into a state.

        Raises:
            ValueError: There is no such job, or it has ended.
        """
        force(self._world, name, state, error)

    def service_account_info(self) -> dict[str, str]:
        """Return a throw-away service-account key whose token endpoint is this emulator."""
        if self._tokens is None:
            message = "the emulator was not started"
            raise RuntimeError(message)
        info = self._tokens.account(f"{self.url}/token")
        self._world.keep_text("key", self._tokens.pem)
        return info

    def connection(self, backend: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection to this emulator; with BigQuery, it has an account for that.

        Raises:
            ValueError: The backend is neither ``gemini`` nor ``vertex``.
        """
        base: dict[str, Any] = {"conn_type": "genai_batch", "host": self.url}
        if backend == "gemini":
            keys = sorted(self._settings.api_keys or ())
            key = {**base, "password": keys[0] if keys else "emulator-key"}
            if not self.bigquery_url:
                return key
            account = {"project": oauth.PROJECT, "keyfile_dict": self.service_account_info()}
            return {**key, "extra": {"backend": "gemini", "bigquery_endpoint": self.bigquery_url, **account}}
        if backend != "vertex":
            message = f"a backend is gemini or vertex, not {backend!r}"
            raise ValueError(message)
        extra: dict[str, Any] = {
            "backend": "vertex",
            "project": oauth.PROJECT,
            "location": "us-central1",
            "keyfile_dict": self.service_account_info(),
        }
        if self.storage_url:
            extra["storage_endpoint"] = self.storage_url
            extra["staging_uri"] = f"gs://{STAGING_BUCKET}/genai-batch/"
        if self.bigquery_url:
            extra["bigquery_endpoint"] = self.bigquery_url
        return {**base, "extra": extra}
