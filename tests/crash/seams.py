"""Where a task's process is cut: at the bytes it sends and gets, at Airflow's own calls, at the file it publishes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_genai_batch.client.transport.http import httpx
from tests.crash.methods import method_of

Reach = Callable[[str], None]


def cut(reach: Reach, results: str) -> None:
    """Have every step of this process reported, until it ends.

    Args:
        reach: Told the name of each step.
        results: Path where rows are published.
    """
    _cut_http(reach)
    _cut_tokens(reach)
    _cut_airflow(reach)
    _cut_publication(reach, results)


class _Sent(httpx.SyncByteStream):
    """A request's body in two halves."""

    def __init__(self, body: Any, reach: Callable[[], None]) -> None:
        self._body, self._reach = body, reach

    def __iter__(self) -> Iterator[bytes]:
        data = b"".join(self._body)
        yield data[: len(data) // 2]
        self._reach()
        yield data[len(data) // 2 :]


class _Read(httpx.SyncByteStream):
    """An answer's body with its first piece in two halves."""

    def __init__(self, body: Any, half: Callable[[], None], whole: Callable[[], None]) -> None:
        self._body, self._half, self._whole = body, half, whole

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._body:
            yield chunk[: len(chunk) // 2]
            self._half()
            yield chunk[len(chunk) // 2 :]
        self._whole()

    def close(self) -> None:
        self._body.close()


def _cut_http(reach: Reach) -> None:
    send = httpx.Client.send

    def cut_send(client: Any, request: Any, *, stream: bool = False, **how: Any) -> Any:
        method = method_of(request.method, request.url.raw_path.decode(), request.headers)

        def reached(phase: str) -> Callable[[], None]:
            return lambda: reach(f"{method}: {phase}")

        def trace(event: str, info: Any) -> None:
            if event.endswith("receive_response_headers.complete"):
                reached("sent, reply not read")()

        request.extensions = {**request.extensions, "trace": trace}
        if int(request.headers.get("content-length", 0)) > 1:
            request.stream = _Sent(request.stream, reached("half sent"))
        reached("not sent")()
        response = send(client, request, stream=stream, **how)
        if stream:
            response.stream = _Read(response.stream, reached("half read"), reached("reply read"))
        else:
            reached("reply read")()
        return response

    httpx.Client.send = cut_send


def _cut_tokens(reach: Reach) -> None:
    from google.auth.transport.requests import Request

    call = Request.__call__

    def cut_call(self: Any, *args: Any, **how: Any) -> Any:
        reach("oauth.token: not sent")
        answer = call(self, *args, **how)
        reach("oauth.token: reply read")
        return answer

    Request.__call__ = cut_call


def _cut_airflow(reach: Reach) -> None:
    from airflow.sdk.execution_time.comms import CommsDecoder

    send, sent = CommsDecoder.send, Counter()

    def cut_send(self: Any, msg: Any) -> Any:
        name = type(msg).__name__
        if name == "MaskSecret":  # changes nothing outside this process
            return send(self, msg)
        sent[name] += 1
        call = f"Airflow {name}" + (f" {sent[name]}" if sent[name] > 1 else "")
        reach(f"{call}: not sent")
        answer = send(self, msg)
        reach(f"{call}: answered")
        return answer

    CommsDecoder.send = cut_send


def _cut_publication(reach: Reach, results: str) -> None:
    replace = os.replace

    def cut_replace(source: Any, target: Any, **how: Any) -> None:
        ours = os.fspath(target) == results
        if ours:
            reach("rows: written, not published")
        replace(source, target, **how)
        if ours:
            reach("rows: published")

    os.replace = cut_replace
