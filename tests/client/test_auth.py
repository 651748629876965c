"""OAuth tokens: fetched once, renewed in time, never on the event loop."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.auth import _helpers as google_clock
from google.auth import iam

from airflow_provider_genai_batch.client import (
    AsyncGenAIBatchClient,
    ClientConfig,
    GenAIBatchClient,
    GoogleCredentials,
)
from airflow_provider_genai_batch.client.auth.google import GoogleToken
from airflow_provider_genai_batch.emulator import Emulator, Fault
from airflow_provider_genai_batch.exceptions import AuthenticationError, ConfigurationError, TransportError
from airflow_provider_genai_batch.models.base import Backend
from tests.client.places import PROJECT, vertex_config

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def _tokens(emulator: Emulator) -> int:
    return sum(1 for one in emulator.requests if one["method"] == "oauth.token")


@pytest.fixture
def auth(emulator: Emulator) -> GoogleToken:
    return GoogleToken(GoogleCredentials(keyfile_dict=emulator.service_account_info()), SCOPES)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that moves google-auth's clock."""
    real = google_clock.utcnow

    def move(seconds: float) -> None:
        monkeypatch.setattr(google_clock, "utcnow", lambda: real() + timedelta(seconds=seconds))

    return move


async def test_fifty_calls_at_once_share_one_token(emulator: Emulator) -> None:
    client = AsyncGenAIBatchClient(vertex_config(emulator))
    try:
        pages = await asyncio.gather(*(client.perform(client.calls.list_jobs()) for _ in range(50)))
    finally:
        await client.close()
    assert len(pages) == 50
    assert _tokens(emulator) == 1


def test_twenty_threads_share_one_token(emulator: Emulator) -> None:
    with GenAIBatchClient(vertex_config(emulator)) as client:
        gate = threading.Barrier(20)

        def look() -> None:
            gate.wait()
            list(client.list())

        threads = [threading.Thread(target=look) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(1 for one in emulator.requests if one["status"] == 200) == 21
    assert _tokens(emulator) == 1


def test_a_token_is_renewed_before_it_expires(emulator: Emulator, auth: GoogleToken, later: Any) -> None:
    first = auth.headers()
    assert auth.headers() == first
    later(3600 - 120)  # not yet expired
    second = auth.headers()
    assert second != first
    assert _tokens(emulator) == 2


async def test_the_event_loop_goes_on_while_a_token_is_fetched(emulator: Emulator, auth: GoogleToken) -> None:
    ticket = emulator.faults.add("oauth.token", Fault.hold())
    fetching = asyncio.create_task(auth.aheaders())
    assert await asyncio.to_thread(ticket.wait_held)
    turns = 0
    for _ in range(100):  # another coroutine has its turns
        await asyncio.sleep(0)
        turns += 1
    assert turns == 100
    assert not fetching.done()
    ticket.release()
    assert "authorization" in await fetching


async def test_coroutines_that_wait_for_a_token_hold_one_thread_in_all(
    emulator: Emulator, auth: GoogleToken
) -> None:
    ticket = emulator.faults.add("oauth.token", Fault.hold())
    fetching = [asyncio.create_task(auth.aheaders()) for _ in range(200)]
    assert await asyncio.to_thread(ticket.wait_held)
    assert await asyncio.to_thread(lambda: "a thread is left") == "a thread is left"
    ticket.release()
    assert len({headers["authorization"] for headers in await asyncio.gather(*fetching)}) == 1
    assert _tokens(emulator) == 1


async def test_a_coroutine_that_gives_up_does_not_take_the_token_of_others_along(
    emulator: Emulator, auth: GoogleToken
) -> None:
    ticket = emulator.faults.add("oauth.token", Fault.hold())
    first, second = (asyncio.create_task(auth.aheaders()) for _ in range(2))
    assert await asyncio.to_thread(ticket.wait_held)
    first.cancel()
    ticket.release()
    assert "authorization" in await second
    assert _tokens(emulator) == 1


async def test_a_refused_token_is_replaced_once_for_all_who_held_it(
    emulator: Emulator, auth: GoogleToken
) -> None:
    old = await auth.aheaders()
    new = await asyncio.gather(*(auth.aheaders(renew=True) for _ in range(10)))
    assert len({headers["authorization"] for headers in new}) == 1
    assert new[0] != old
    assert _tokens(emulator) == 2


def test_trouble_in_renewing_is_no_matter_while_the_token_is_good(
    emulator: Emulator, auth: GoogleToken, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    first = auth.headers()
    later(3600 - 120)
    emulator.faults.add("oauth.token", Fault.error(503, times=3))
    assert auth.headers() == first
    later(3600 + 1)
    emulator.faults.add("oauth.token", Fault.error(503, times=3))
    with pytest.raises(TransportError) as caught:
        auth.headers()
    assert caught.value.method == "oauth.token"


def test_a_create_waits_for_the_token_endpoint_since_nothing_was_sent(
    on_vertex: Any, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    on_vertex.emulator.faults.add("oauth.token", Fault.error(503, times=3))
    on_vertex.create()
    assert on_vertex.posts() == len(on_vertex.emulator.jobs) == 1
    assert len(naps) == 1


def test_a_key_of_another_account_is_refused(emulator: Emulator, connect: Any, naps: list[float]) -> None:
    with Emulator() as other:
        info = {**other.service_account_info(), "client_email": "stranger@example.com"}
        info["token_uri"] = f"{emulator.url}/token"
    client = connect(vertex_config(emulator, google={"keyfile_dict": info}))
    with pytest.raises(AuthenticationError) as caught:
        client.get("1")
    assert (caught.value.code, caught.value.method) == (401, "oauth.token")
    assert info["private_key"][60:90] not in str(caught.value)
    assert naps == []
    assert _tokens(emulator) == 1


def test_the_quota_project_travels_in_its_header(emulator: Emulator, connect: Any) -> None:
    client = connect(vertex_config(emulator, google={"quota_project": "who-pays"}))
    client.list()
    assert emulator.requests[-1]["headers"]["x-goog-user-project"] == "who-pays"


def test_no_quota_project_means_no_header(emulator: Emulator, connect: Any) -> None:
    connect(vertex_config(emulator)).list()
    assert "x-goog-user-project" not in emulator.requests[-1]["headers"]


def test_the_last_of_the_impersonation_chain_is_acted_as(
    emulator: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = emulator.url + "/v1/projects/-/serviceAccounts/{}:generateAccessToken"
    monkeypatch.setattr(iam, "_IAM_ENDPOINT", here)
    chain = ("middle@x.iam.gserviceaccount.com", "end@x.iam.gserviceaccount.com")
    client = connect(
        vertex_config(emulator, google={"impersonation_chain": chain, "quota_project": "who-pays"})
    )
    client.list()
    asked = next(one for one in emulator.requests if one["method"] == "iam.generateAccessToken")
    assert "end@x.iam.gserviceaccount.com" in asked["path"]
    assert [name.rpartition("/")[2] for name in asked["body"]["delegates"]] == [chain[0]]
    assert asked["body"]["scope"] == list(SCOPES)
    assert emulator.requests[-1]["headers"]["x-goog-user-project"] == "who-pays"


def test_application_default_credentials_are_taken_where_there_is_no_key(
    emulator: Emulator, connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.json").write_text(json.dumps(emulator.service_account_info()))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    connect(ClientConfig(Backend.VERTEX, host=emulator.url, project=PROJECT)).list()
    assert emulator.requests[-1]["has_bearer"]


def test_the_gemini_api_takes_a_token_with_both_scopes(emulator: Emulator, connect: Any) -> None:
    google = GoogleCredentials(keyfile_dict=emulator.service_account_info())
    connect(ClientConfig(Backend.GEMINI, host=emulator.url, google=google)).list()
    last = emulator.requests[-1]
    assert (last["status"], last["has_bearer"], last["has_api_key"]) == (200, True, False)


def test_a_key_file_is_read_from_its_path(emulator: Emulator, connect: Any, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(json.dumps(emulator.service_account_info()))
    google = {"keyfile_dict": None, "key_path": str(tmp_path / "key.json")}
    connect(vertex_config(emulator, google=google)).list()
    assert emulator.requests[-1]["has_bearer"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "not json",
        "[]",
        '{"type": "authorized_user"}',
        '{"type": "service_account"}',
        '{"type": "service_account", "client_email": "a", "token_uri": "b", "private_key": "SECRET-PART"}',
        '{"type": "service_account", "client_email": "a", "token_uri": "b", "private_key": 5}',
    ],
)
def test_an_unusable_key_file_is_a_matter_of_configuration(
    emulator: Emulator, connect: Any, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    client = connect(vertex_config(emulator, google={"keyfile_dict": None, "key_path": str(path)}))
    with pytest.raises(ConfigurationError) as caught:
        client.list()
    assert "SECRET-PART" not in str(caught.value)
    assert emulator.requests == []


def test_no_credentials_at_all_say_what_to_do(
    emulator: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    client = connect(ClientConfig(Backend.VERTEX, host=emulator.url, project=PROJECT))
    with pytest.raises(ConfigurationError, match="Application Default Credentials"):
        client.list()
