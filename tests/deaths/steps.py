"""The steps of a process: the calls that it makes, the files that it publishes, the notes that it keeps."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from airflow_provider_genai_batch.client.transport.http import httpx

_HEADERS = "receive_response_headers.complete"
_ENDS = {".answers": "a part of the journal", ".jsonl": "the rows"}


class Steps:
    """Counts the steps of this process, writes them down, and kills it at one.

    Args:
        file: Gets a line for each step.
        dies_at: The number of the step at which the process dies, from 1 on; 0: at none.
        spared: It dies at the first step that is not among these; None: only at `dies_at`.
    """

    def __init__(self, file: Path, dies_at: int, spared: frozenset[str] | None = None) -> None:
        self._file = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._dies_at, self._spared = dies_at, spared
        self._count = 0
        self._lock = threading.Lock()

    def reach(self, step: str) -> None:
        """Come to a step."""
        with self._lock:
            os.write(self._file, f"{step}\n".encode())
            self._count += 1
            is_new = self._spared is not None and step not in self._spared
            if is_new or self._count == self._dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def cut(self) -> None:
        """Have every step of this process reported from now on."""
        self._cut_httpx()
        self._cut_requests()
        self._cut_files()

    def _cut_httpx(self) -> None:
        send, async_send = httpx.Client.send, httpx.AsyncClient.send

        def cut_send(client: Any, request: Any, **how: Any) -> Any:
            method = method_of(request.method, request.url.raw_path.decode())
            sent = f"{method}: sent, reply not read"
            request.extensions = {
                **request.extensions,
                "trace": lambda event, _info: self.reach(sent) if event.endswith(_HEADERS) else None,
            }
            self.reach(f"{method}: not sent")
            answer = send(client, request, **how)
            self.reach(f"{method}: answered")
            return answer

        async def cut_async_send(client: Any, request: Any, **how: Any) -> Any:
            method = method_of(request.method, request.url.raw_path.decode())

            async def trace(event: str, _info: Any) -> None:
                if event.endswith(_HEADERS):
                    self.reach(f"{method}: sent, reply not read")

            request.extensions = {**request.extensions, "trace": trace}
            self.reach(f"{method}: not sent")
            answer = await async_send(client, request, **how)
            self.reach(f"{method}: answered")
            return answer

        httpx.Client.send = cut_send  # type: ignore[method-assign]
        httpx.AsyncClient.send = cut_async_send  # type: ignore[method-assign]

    def _cut_requests(self) -> None:
        send = requests.Session.send

        def cut_send(session: Any, request: Any, **how: Any) -> Any:
            method = method_of(request.method, request.path_url)
            self.reach(f"{method}: not sent")
            answer = send(session, request, **how)
            self.reach(f"{method}: answered")
            return answer

        requests.Session.send = cut_send  # type: ignore[method-assign]

    def _cut_files(self) -> None:
        replace = os.replace

        def cut_replace(source: Any, target: Any, **how: Any) -> None:
            path = Path(os.fspath(target))
            what = "what was found at hand" if ".asked-" in path.name else _ENDS.get(path.suffix, "a file")
            self.reach(f"{what}: written, not published")
            replace(source, target, **how)
            self.reach(f"{what}: published")

        os.replace = cut_replace

    def around(self, what: str, call: Callable[[], Any]) -> Any:
        """Make a call that is a step."""
        self.reach(f"{what}: not sent")
        answer = call()
        self.reach(f"{what}: answered")
        return answer


def method_of(verb: str, target: str) -> str:
    """Name a call without what differs from run to run."""
    path = target.partition("?")[0]
    last = path.rpartition("/")[2]
    if ":" in last:
        return last.rpartition(":")[2]
    kinds = (
        "batches",
        "batchPredictionJobs",
        "files",
        "token",
        "queries",
        "tables",
        "datasets",
        "jobs",
        "o",
        "session",
    )
    parts = [part for part in path.split("/") if part in kinds]
    kind = parts[-1] if parts else last
    return f"{verb} {'objects' if kind in ('o', 'session') else kind}"
