"""The emulator on a port: ``python -m airflow_provider_genai_batch.emulator --port 8765``."""

from __future__ import annotations

import argparse
import errno
import json
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

try:
    from airflow_provider_genai_batch.emulator import Emulator, Lifecycle
except ModuleNotFoundError as error:
    sys.exit(f"The emulator needs: pip install 'airflow-provider-genai-batch[emulator]' ({error})")

from airflow_provider_genai_batch.emulator.credentials.oauth import PROJECT
from airflow_provider_genai_batch.emulator.processes.child import ChildFailedError
from airflow_provider_genai_batch.emulator.processes.loopback import LoopbackServer, NotInstalled

_PORTS = 65536


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        prog="python -m airflow_provider_genai_batch.emulator", description=__doc__
    )
    result.add_argument("--host", default="127.0.0.1", help="address to serve at (default: %(default)s)")
    result.add_argument("--port", type=_port, default=8765, help="0 picks a free one (default: %(default)s)")
    result.add_argument("--directory", type=Path, help="keep state here, so that it survives a restart")
    result.add_argument("--pending", type=float, help="seconds a job waits")
    result.add_argument("--running", type=float, help="seconds a job runs")
    result.add_argument("--looks", type=int, help="number of status requests that find a job unfinished")
    result.add_argument("--at-once", action="store_true", help="jobs have ended at the first status request")
    result.add_argument(
        "--no-storage", action="store_true", help="without Cloud Storage; Vertex jobs need it"
    )
    result.add_argument("--no-bigquery", action="store_true", help="without BigQuery")
    result.add_argument("--storage-port", type=_port, default=0, help="0 picks a free one")
    result.add_argument("--bigquery-port", type=_port, default=0, help="0 picks a free one")
    return result


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < _PORTS):
        msg = f"{text} is not a port: give a number from 0 to {_PORTS - 1}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def lifecycle(options: argparse.Namespace) -> Lifecycle:
    """Return the lifecycle of jobs without a script; by default they take a few seconds."""
    if options.at_once:
        return Lifecycle.at_once()
    if options.looks is not None:
        return Lifecycle(looks=options.looks)
    pending = 2.0 if options.pending is None else options.pending
    return Lifecycle.timed(pending, 3.0 if options.running is None else options.running)


def stand_ins(options: argparse.Namespace, stack: ExitStack) -> tuple[Any, Any]:
    """Start the stand-ins that the options ask for."""
    storage = bigquery = None
    folder = options.directory
    # Imported late, because users without them need not install them.
    if not options.no_storage:
        from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage

        server = CloudStorage(options.storage_port, folder and folder / "storage")
        storage = _entered(stack, server, "--no-storage")
    if not options.no_bigquery:
        from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery

        tables = BigQuery(options.bigquery_port, folder and folder / "bigquery")
        bigquery = _entered(stack, tables, "--no-bigquery")
    return storage, bigquery


def _entered(stack: ExitStack, server: LoopbackServer, without: str) -> LoopbackServer:
    try:
        return stack.enter_context(server)
    except NotInstalled as error:
        sys.exit(f"{error}. To go without it, add: {without}")


def explain(emulator: Emulator) -> str:
    """Return the text for the user: the URL on a line of its own, then lines for a shell."""
    lines = [emulator.url]
    if emulator.storage_url:
        lines.append(f"export STORAGE_EMULATOR_HOST={emulator.storage_url}")
    if emulator.bigquery_url:
        lines.append(f"export BIGQUERY_EMULATOR_HOST={emulator.bigquery_url}")
    connections = {"GENAI_BATCH_DEFAULT": emulator.connection("gemini")}
    if emulator.storage_url:  # jobs of Vertex AI need it
        connections["GENAI_BATCH_VERTEX"] = emulator.connection("vertex")
    if emulator.storage_url or emulator.bigquery_url:
        connections["GOOGLE_CLOUD_DEFAULT"] = google_cloud(emulator)
    lines += [f"export AIRFLOW_CONN_{name}={shlex.quote(json.dumps(it))}" for name, it in connections.items()]
    return "\n".join(lines)


def google_cloud(emulator: Emulator) -> dict[str, Any]:
    """Return the Airflow connection with which tasks of the Google provider reach the stand-ins."""
    extra: dict[str, Any] = {"is_anonymous": True, "project": PROJECT}
    if emulator.storage_url:
        extra["gcs.endpoint"] = emulator.storage_url
    return {"conn_type": "google_cloud_platform", "extra": extra}


def started(options: argparse.Namespace, stack: ExitStack) -> Emulator:
    """Start the emulator and its stand-ins, which stop with the stack."""
    jobs = lifecycle(options)
    storage, bigquery = stand_ins(options, stack)
    emulator = Emulator(
        port=options.port,
        host=options.host,
        directory=options.directory,
        lifecycle=jobs,
        storage=storage,
        bigquery=bigquery,
    ).start()
    stack.callback(emulator.stop)
    return emulator


def _why(error: Exception, options: argparse.Namespace) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return (
            f"Port {options.port} is in use, perhaps by an emulator that still runs. Stop that one, or give another "
            "--port."
        )
    return f"The emulator cannot start: {error}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    options = parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        try:
            emulator = started(options, stack)
        except (ChildFailedError, OSError, ValueError) as error:
            sys.exit(_why(error, options))
        print(explain(emulator), flush=True)  # noqa: T201 - the way a command line answers
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
