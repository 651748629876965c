"""A run is started once, whatever the API server says in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from tests.airflow_stack import AirflowClient, DagRun
from tests.client.raw import RawServer, answer


@contextmanager
def api(*statuses: int) -> Iterator[tuple[AirflowClient, list[str]]]:
    """Answer calls that start a run with these, then with 200 for ever; yields the paths of those calls, too."""
    todo, posted = [*statuses], list[str]()

    def serve(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/auth/token":
            answer(request, 200, json.dumps({"access_token": "any"}).encode())
            return
        posted.append(request.path)
        answer(
            request, todo.pop(0) if todo else 200, b'{"dag_run_id": "mine", "detail": "database is locked"}'
        )

    with RawServer(serve) as server:
        client = AirflowClient(server.url)
        try:
            yield client, posted
        finally:
            client.close()


@pytest.mark.parametrize(
    ("statuses", "calls"),
    [((), 1), ((500, 503), 3), ((500, 409), 2)],
    ids=["at once", "after trouble", "by a call whose answer was lost"],
)
def test_a_run_is_there_once_the_server_says_so(statuses: tuple[int, ...], calls: int) -> None:
    with api(*statuses) as (client, posted):
        assert client.start("ask", "mine", {}) == DagRun("ask", "mine")
    assert posted == ["/api/v2/dags/ask/dagRuns"] * calls


def test_a_refusal_is_not_asked_again() -> None:
    with api(400) as (client, posted), pytest.raises(httpx.HTTPStatusError, match="400"):
        client.start("ask", "mine", {})
    assert len(posted) == 1


def test_a_server_that_never_says_is_quoted() -> None:
    with api(*[500] * 50) as (client, _), pytest.raises(TimeoutError, match="database is locked"):
        client.start("ask", "mine", {}, timeout=0.5)
