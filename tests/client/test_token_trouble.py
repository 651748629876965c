"""Whoever gives out tokens may be away for a while: that is no refusal, however google-auth calls it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from google.auth import _helpers as google_clock
from google.auth import compute_engine, iam

from airflow_provider_genai_batch.client import GoogleCredentials
from airflow_provider_genai_batch.client.auth import google as client_auth
from airflow_provider_genai_batch.client.auth import secret_manager as key_secret
from airflow_provider_genai_batch.client.auth.credentials import load
from airflow_provider_genai_batch.client.auth.google import GoogleToken
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import AuthenticationError, TransportError
from tests.client.raw import RawServer, answer

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
PAGE = b"<!DOCTYPE html><title>Error</title>"


def api_error(code: int, status: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": "no", "status": status}}).encode()


class Source:
    """Whoever gives out tokens, and what it answers."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Answer; the metadata server is asked for the account first."""
        answer(request, self.status, self.body, Content_Type="application/json", Metadata_Flavor="Google")

    def says(self, status: int, body: bytes) -> None:
        """Answer so from now on."""
        self.status, self.body = status, body

    def gives(self) -> None:
        """Answer with a token, as each source does."""
        token = {"access_token": "t", "expires_in": 3600, "token_type": "Bearer", "email": "me@x"}
        self.says(200, json.dumps(token).encode())


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Source, RawServer]]:
    """Give a source; google-auth does not sleep between its own tries."""
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    said = Source()
    with RawServer(said.serve) as server:
        yield said, server


Make = Callable[[str], GoogleToken]


@pytest.fixture
def sources(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Make]:
    """Give a way to an account for each kind of source, by its address."""
    key = emulator.service_account_info()

    def token_endpoint(url: str) -> GoogleToken:
        return GoogleToken(GoogleCredentials(keyfile_dict={**key, "token_uri": url}), SCOPES)

    def impersonation(url: str) -> GoogleToken:
        monkeypatch.setattr(iam, "_IAM_ENDPOINT", url + "/{}:generateAccessToken")
        return GoogleToken(GoogleCredentials(keyfile_dict=key, impersonation_chain=("end@x",)), SCOPES)

    def federation(url: str) -> GoogleToken:
        (tmp_path / "token").write_text("of-another-cloud")
        config = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": url,
            "credential_source": {"file": str(tmp_path / "token")},
        }
        return GoogleToken(GoogleCredentials(config=config), SCOPES)

    def metadata(url: str) -> GoogleToken:
        monkeypatch.setenv("http_proxy", url)  # in the place of the metadata server
        account = compute_engine.Credentials(scopes=SCOPES)
        monkeypatch.setattr(client_auth, "load", lambda *_: account)
        return GoogleToken(GoogleCredentials(), SCOPES)

    return {
        "token endpoint": token_endpoint,
        "impersonation": impersonation,
        "federation": federation,
        "metadata": metadata,
    }


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("token endpoint", 502, PAGE),
        ("token endpoint", 200, PAGE),
        ("token endpoint", 200, b"[]"),
        ("impersonation", 503, api_error(503, "UNAVAILABLE")),
        ("impersonation", 429, api_error(429, "RESOURCE_EXHAUSTED")),
        ("impersonation", 408, b""),
        ("impersonation", 502, PAGE),
        ("federation", 503, api_error(503, "UNAVAILABLE")),
        ("federation", 500, PAGE),
        ("federation", 200, PAGE),
        ("federation", 200, b"[]"),
        ("metadata", 503, b""),
        ("metadata", 200, PAGE),
    ],
)
def test_trouble_that_may_pass_is_told_from_a_refusal(
    source: tuple[Source, RawServer], sources: dict[str, Make], kind: str, status: int, body: bytes
) -> None:
    said, server = source
    said.says(status, body)
    with pytest.raises(TransportError) as caught:
        sources[kind](server.url).headers()
    assert server.seen
    assert caught.value.method == "oauth.token"


@pytest.mark.parametrize("kind", ["token endpoint", "impersonation", "federation", "metadata"])
def test_a_source_that_does_not_answer_may_come_back(
    source: tuple[Source, RawServer], sources: dict[str, Make], kind: str
) -> None:
    with RawServer(source[0].serve) as gone:
        url = gone.url
    with pytest.raises(TransportError):
        sources[kind](url).headers()


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("token endpoint", 400, b'{"error": "invalid_grant"}'),
        ("impersonation", 403, api_error(403, "PERMISSION_DENIED")),
        ("impersonation", 404, api_error(404, "NOT_FOUND")),
        ("federation", 400, b'{"error": "invalid_grant"}'),
        ("metadata", 404, b"{}"),
    ],
)
def test_a_refusal_is_told_at_once(
    source: tuple[Source, RawServer], sources: dict[str, Make], kind: str, status: int, body: bytes
) -> None:
    said, server = source
    said.says(status, body)
    with pytest.raises(AuthenticationError):
        sources[kind](server.url).headers()
    assert len(server.seen) == 1


def test_a_token_of_another_cloud_that_is_not_there_is_a_refusal(
    source: tuple[Source, RawServer], sources: dict[str, Make], tmp_path: Path
) -> None:
    token = sources["federation"](source[1].url)
    (tmp_path / "token").unlink()
    with pytest.raises(AuthenticationError, match="was not found"):
        token.headers()


@pytest.mark.parametrize(
    ("status", "body"), [(400, b'{"error": "invalid_grant"}'), (200, PAGE), (502, PAGE)], ids=str
)
def test_nothing_about_a_new_token_matters_while_the_old_one_is_good(
    source: tuple[Source, RawServer],
    sources: dict[str, Make],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: bytes,
) -> None:
    said, server = source
    said.gives()
    token = sources["federation"](server.url)
    first = token.headers()
    real = google_clock.utcnow
    monkeypatch.setattr(google_clock, "utcnow", lambda: real() + timedelta(seconds=3600 - 120))
    said.says(status, body)
    assert token.headers() == first
    assert len(server.seen) == 2
    monkeypatch.setattr(google_clock, "utcnow", lambda: real() + timedelta(seconds=3600 + 1))
    with pytest.raises(AuthenticationError if status == 400 else TransportError):
        token.headers()


def test_an_unreadable_answer_on_the_way_to_secret_manager_may_pass(
    source: tuple[Source, RawServer], emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said, server = source
    said.says(200, PAGE)
    info: dict[str, Any] = {**emulator.service_account_info(), "token_uri": server.url}
    (tmp_path / "adc.json").write_text(json.dumps(info))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    monkeypatch.setattr(key_secret, "URL", server.url)
    with pytest.raises(TransportError) as caught:
        load(GoogleCredentials(key_secret="the-key"), SCOPES)
    assert caught.value.method == "secretmanager.access"
