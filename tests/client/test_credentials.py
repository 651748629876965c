"""Accounts in every form that Google hands out: configurations of all kinds, and keys in Secret Manager."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from google.oauth2 import credentials as user_credentials

from airflow_provider_genai_batch.client import ClientConfig, GoogleCredentials
from airflow_provider_genai_batch.client.auth import secret_manager as key_secret
from airflow_provider_genai_batch.client.auth.credentials import load
from airflow_provider_genai_batch.client.auth.google import GoogleToken
from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import BEFORE_SENDING, ConfigurationError, TransportError
from tests.client.places import vertex_config

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster"


class Google:
    """Trades refresh tokens and tokens of other clouds for the emulator's, and keeps a secret."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.asked: list[dict[str, str]] = []
        self.secret: tuple[int, Any] = (200, emulator.service_account_info())
        google = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                google.asked.append({name: values[0] for name, values in form.items()})
                account = GoogleCredentials(keyfile_dict=google.emulator.service_account_info())
                token = GoogleToken(account, SCOPES).headers()["authorization"].removeprefix("Bearer ")
                issued = "urn:ietf:params:oauth:token-type:access_token"
                self._answer(
                    200,
                    {
                        "access_token": token,
                        "expires_in": 3600,
                        "token_type": "Bearer",
                        "issued_token_type": issued,
                    },
                )

            def do_GET(self) -> None:
                google.asked.append({"path": self.path, "authorization": self.headers["authorization"] or ""})
                status, content = google.secret
                kept = content if isinstance(content, str) else json.dumps(content)
                data = base64.b64encode(kept.encode()).decode()
                error = {"error": {"code": status, "message": "Permission denied on secret"}}
                self._answer(status, {"payload": {"data": data}} if status == 200 else error)

            def _answer(self, status: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def google(emulator: Emulator) -> Iterator[Google]:
    running = Google(emulator)
    thread = threading.Thread(target=running.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.server.shutdown()
    thread.join()
    running.server.server_close()


def configured(emulator: Emulator, config: Any) -> ClientConfig:
    return vertex_config(emulator, google={"keyfile_dict": None, "config": config})


def federated(google: Google, folder: Path) -> dict[str, Any]:
    (folder / "token").write_text("of-another-cloud")
    return {
        "type": "external_account",
        "audience": POOL,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google.url}/token",
        "credential_source": {"file": str(folder / "token")},
    }


@pytest.mark.parametrize("form", ["path", "object"])
def test_workload_identity_trades_its_token_for_googles_and_asks_nothing_else(
    google: Google, connect: Any, tmp_path: Path, form: str
) -> None:
    config = federated(google, tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    connect(configured(google.emulator, str(path) if form == "path" else config)).list()
    (asked,) = google.asked
    assert (asked["subject_token"], asked["audience"]) == ("of-another-cloud", POOL)
    assert asked["scope"] == SCOPES[0]
    assert google.emulator.requests[-1]["status"] == 200


def test_a_users_own_credentials_are_taken(
    google: Google, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{google.url}/token")
    config = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    connect(configured(google.emulator, config)).list()
    assert google.asked[0]["refresh_token"] == "r"
    assert google.emulator.requests[-1]["status"] == 200


def test_a_service_account_key_is_a_configuration_too(emulator: Emulator, connect: Any) -> None:
    connect(configured(emulator, emulator.service_account_info())).list()
    assert emulator.requests[-1]["has_bearer"]


AWS = {
    "type": "external_account",
    "audience": POOL,
    "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {
        "environment_id": "aws1",
        "regional_cred_verification_url": "https://sts.{region}.amazonaws.com",
    },
}
EXECUTABLE = {
    "type": "external_account",
    "audience": POOL,
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {"executable": {"command": "/bin/false", "timeout_millis": 5000}},
}
FEDERATED_USER = {
    "type": "external_account_authorized_user",
    "audience": "//iam.googleapis.com/locations/global/workforcePools/pool/providers/p",
    "refresh_token": "r",
    "token_url": "https://sts.googleapis.com/v1/oauthtoken",
    "token_info_url": "https://sts.googleapis.com/v1/introspect",
    "client_id": "c",
    "client_secret": "s",
}
IMPERSONATED = {
    "type": "impersonated_service_account",
    "service_account_impersonation_url": (
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/end@x.iam.gserviceaccount.com"
        ":generateAccessToken"
    ),
    "source_credentials": {
        "type": "authorized_user",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "r",
    },
}


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (AWS, "google.auth.aws"),
        (EXECUTABLE, "google.auth.pluggable"),
        (FEDERATED_USER, "google.auth.external_account_authorized_user"),
        (IMPERSONATED, "google.auth.impersonated_credentials"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_other_kind_becomes_google_auths_own(config: dict[str, Any], kind: str) -> None:
    credentials = load(GoogleCredentials(config=config, quota_project="who-pays"), SCOPES)
    assert type(credentials).__module__ == kind
    assert credentials.quota_project_id == "who-pays"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"type": "gdch_service_account"}, "'gdch_service_account', which is not supported"),
        ({"private_key": "SECRET-PART"}, "of type None"),
        (["SECRET-PART"], "of type None"),
        ({"type": "external_account", "audience": "SECRET-PART"}, "cannot be used"),
        ({"type": "authorized_user", "client_secret": "SECRET-PART"}, "cannot be used"),
        ("/no/such/file.json", "not a readable JSON file"),
    ],
    ids=str,
)
def test_an_unusable_configuration_is_refused_without_telling_what_is_in_it(
    emulator: Emulator, connect: Any, config: Any, words: str
) -> None:
    client = connect(configured(emulator, config))
    with pytest.raises(ConfigurationError) as caught:
        client.list()
    assert words in str(caught.value)
    assert "SECRET-PART" not in str(caught.value)
    assert emulator.requests == []


@pytest.fixture
def secret(google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Google:
    """Have Secret Manager here, and default credentials of this machine."""
    (tmp_path / "adc.json").write_text(json.dumps(google.emulator.service_account_info()))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    monkeypatch.setattr(key_secret, "URL", google.url)
    return google


def kept(google: Google, project: str | None = None) -> ClientConfig:
    settings = {"keyfile_dict": None, "key_secret": "the-key", "key_secret_project": project}
    return vertex_config(google.emulator, google=settings)


@pytest.mark.parametrize(("project", "owner"), [(None, "emulator-project"), ("vault", "vault")])
def test_a_key_in_secret_manager_is_fetched_as_this_machine(
    secret: Google, connect: Any, project: str | None, owner: str
) -> None:
    connect(kept(secret, project)).list()
    (asked,) = secret.asked
    assert asked["path"] == f"/projects/{owner}/secrets/the-key/versions/latest:access"
    assert asked["authorization"].startswith("Bearer ya29.")
    assert secret.emulator.requests[-1]["status"] == 200


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ((403, None), ConfigurationError, "HTTP 403, Permission denied on secret"),
        ((503, None), TransportError, "HTTP 503"),
        ((200, "SECRET-PART"), ConfigurationError, "is not JSON"),
        (
            (200, {"type": "other", "private_key": "SECRET-PART"}),
            ConfigurationError,
            "not of a service account",
        ),
    ],
    ids=str,
)
def test_a_key_that_is_not_to_be_had_is_told(
    secret: Google, answer: tuple[int, Any], kind: type[Exception], words: str
) -> None:
    secret.secret = answer
    with pytest.raises(kind) as caught:
        load(GoogleCredentials(key_secret="the-key"), SCOPES)
    assert words in str(caught.value)
    assert "SECRET-PART" not in str(caught.value)


def test_trouble_at_secret_manager_is_waited_out_since_nothing_was_sent(
    secret: Google, connect: Any, naps: list[float]
) -> None:
    secret.secret = (503, None)
    with pytest.raises(TransportError) as caught:
        connect(kept(secret)).create("gemini-2.5-flash", "gs://b/in.jsonl", dest="gs://b/out/")
    assert caught.value.method in BEFORE_SENDING
    assert len(naps) == TRIES - 1
    assert secret.emulator.jobs == []


def test_a_key_in_secret_manager_needs_credentials_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(ConfigurationError, match="Application Default Credentials, and there are none"):
        load(GoogleCredentials(key_secret="the-key"), SCOPES)


def test_a_password_beside_a_project_is_told_to_be_no_credentials_of_vertex_ai(
    emulator: Emulator, connect: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    client = connect(vertex_config(emulator, google={"keyfile_dict": None}, api_key="AIza-of-no-use"))
    with pytest.raises(ConfigurationError, match=r'Vertex AI, .*takes no API key: .*"key_path"') as caught:
        client.list()
    assert "AIza" not in str(caught.value)
    assert emulator.requests == []
