"""Redis from the system's own program, and the memory of all that was started."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from airflow_provider_genai_batch.emulator.processes.child import Child, free_port

_INTERVAL = 2.0


def missing() -> str:
    """Say what to install; empty if all is there."""
    if shutil.which("redis-server") is None:
        return "There is no redis-server here. On Debian: apt-get install redis-server"
    if importlib.util.find_spec("celery") is None:
        return "Celery is not in this Python's environment: make scale-out sets up one that has the group scale-out"
    return ""


@contextmanager
def redis() -> Iterator[str]:
    """Serve an empty database on loopback, kept in memory only; gives its URL."""
    port = free_port()
    where = ["--bind", "127.0.0.1", "--port", str(port)]
    server = Child("Redis", ["redis-server", *where, "--save", "", "--appendonly", "no"])

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    server.start(answers, 10)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.stop()


@contextmanager
def peak() -> Iterator[dict[str, float]]:
    """Look every two seconds at this process and its descendants; what they share is counted once."""
    most = {"megabytes": 0.0, "processes": 0.0}
    over = threading.Event()

    def watch() -> None:
        this = psutil.Process()
        while not over.wait(_INTERVAL):
            tree, total = [this, *this.children(recursive=True)], 0
            for process in tree:
                with suppress(psutil.Error, FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                    total += process.memory_full_info().pss
            most["megabytes"] = max(most["megabytes"], total / 1e6)
            most["processes"] = max(most["processes"], len(tree))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()
