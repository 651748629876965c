"""A small, fast service on the loopback for the jobs, as Gemini's and as OpenAI's; in a process of its own.

It is told over standard input what to do, one JSON array a line, and answers each with a line, so that this is not
among what it counts: ``["jobs", watched, others]``, ``["counts"]``, ``["end", seconds]``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.benchmarks.looks.jobs import Jobs

_jobs = Jobs(0, 0, time.monotonic)
_open = 0


class _Connection(asyncio.Protocol):
    """HTTP/1.1, as far as the clients speak it."""

    def connection_made(self, transport: Any) -> None:
        global _open  # noqa: PLW0603 - one server a process
        _open += 1
        _jobs.counts["opened"] += 1
        _jobs.counts["most_open"] = max(_jobs.counts["most_open"], _open)
        self._transport, self._read = transport, b""

    def connection_lost(self, _: Exception | None) -> None:
        global _open  # noqa: PLW0603 - one server a process
        _open -= 1

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, rest = self._read.partition(b"\r\n\r\n")
            length = _length(head)
            if len(rest) < length:
                return
            self._read = rest[length:]
            _jobs.counts["requests"] += 1
            body = _answer(head.split(b" ", 2)[1].decode())
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(body), body)
            )


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == b"content-length":
            return int(value)
    return 0


def _answer(target: str) -> bytes:
    path, _, query = target.partition("?")
    asked = dict(parse_qsl(unquote(query)))
    last = path.rpartition("/")[2]
    if last.endswith(":batchGenerateContent"):
        return _jobs.create()
    if path.startswith("/v1/"):
        return _jobs.openai(int(last))
    if last == "batches":
        return _jobs.list(int(asked.get("pageSize", 50)), asked.get("pageToken", ""), asked.get("fields", ""))
    return _jobs.get(int(last), asked.get("fields", ""))


def _obey(line: str) -> dict[str, Any]:
    global _jobs  # noqa: PLW0603 - one server a process
    what, *arguments = json.loads(line)
    if what == "jobs":
        _jobs = Jobs(*arguments, time.monotonic)
    elif what == "end":
        _jobs.end_all(*arguments)
    return {**_jobs.counts, "seen": len(_jobs.seen)}


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - it is read
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(_obey(line)), flush=True)  # noqa: T201 - it is read


class Service:
    """The service's process.

    Attributes:
        address: Its URL.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = f"http://127.0.0.1:{self._said().strip()}"

    def tell(self, what: str, *arguments: float) -> dict[str, float]:
        """Have it do something; return all that it has counted."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([what, *arguments]) + "\n")
        self._process.stdin.flush()
        counted: dict[str, float] = json.loads(self._said())
        return counted

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def serving() -> Iterator[Service]:
    """Give a service with no jobs yet."""
    command = [sys.executable, "-m", "tests.benchmarks.looks.server"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield Service(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_serve())
