"""The program that serves BigQuery on loopback: bqemulator, corrected and guarded.

``python -m airflow_provider_genai_batch.emulator.bigquery.server PORT [DIRECTORY]`` prints ``READY http://...``
once it answers, and ends on SIGTERM. ``mends.py`` and ``guard.py`` say what is corrected and why.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from bqemulator import server as upstream
from bqemulator.api.app import create_app
from bqemulator.config import LogFormat, LogLevel, PersistenceMode, Settings

from airflow_provider_genai_batch.emulator.bigquery.guard import Guard
from airflow_provider_genai_batch.emulator.bigquery.mends.mends import mend


async def serve(port: int, directory: Path | None, spool: Path) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        port: Port on 127.0.0.1; 0 chooses a free one.
        directory: Where tables are stored; None: in memory.
        spool: Where files are kept while they are loaded, and rows that do not fit in memory.
    """
    mend(spool)
    _guard_the_app()
    emulator = upstream.EmulatorServer(
        Settings(
            rest_port=port,
            grpc_port=0,
            persistence_mode=PersistenceMode.PERSISTENT if directory else PersistenceMode.EPHEMERAL,
            data_dir=directory,
            upload_staging_dir=spool,
            # No copies of tables are kept, see the corrections; so each time before now is refused.
            time_travel_retention_days=0,
            # Otherwise its Avro extension would be downloaded at start, and Avro is not used here.
            enable_format_extensions=False,
            log_level=LogLevel.WARNING,
            log_format=LogFormat.CONSOLE,
        )
    )
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await emulator.start()
    print(f"READY {emulator.rest_url}", flush=True)  # noqa: T201 - the owner reads this line
    await ended.wait()
    await emulator.stop()


def _guard_the_app() -> None:
    def create_guarded_app(context: Any) -> Any:
        app = create_app(context)
        app.add_middleware(Guard, context=context)
        return app

    vars(upstream)["create_app"] = create_guarded_app


def main(arguments: list[str]) -> None:
    """Read the command line and serve.

    Args:
        arguments: The port, and optionally a directory.
    """
    directory = Path(arguments[1]) if len(arguments) > 1 else None
    with tempfile.TemporaryDirectory() as spool:
        asyncio.run(serve(int(arguments[0]), directory, Path(spool)))


if __name__ == "__main__":
    main(sys.argv[1:])
