"""Who may call."""

from __future__ import annotations

import time

import google.auth.jwt
import httpx
import pytest
from google.auth import crypt
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from airflow_provider_genai_batch.emulator import Emulator, VirtualClock
from airflow_provider_genai_batch.emulator.credentials.oauth import CLOUD_PLATFORM, RETRIEVER
from tests.emulator.talk import PARENT, Gemini, Vertex, good, refused

JOBS = f"{PARENT}/batchPredictionJobs"


def token(emulator: Emulator, *scopes: str) -> str:
    credentials = service_account.Credentials.from_service_account_info(
        emulator.service_account_info(), scopes=scopes
    )
    credentials.refresh(Request())
    return credentials.token


def get(emulator: Emulator, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(base_url=emulator.url, trust_env=False, verify=False, timeout=120) as client:
        return client.get(path, headers=headers)


def test_a_bad_key_is_an_invalid_argument_with_its_reason(emulator: Emulator):
    reply = get(emulator, "/v1beta/batches", **{"x-goog-api-key": "bad-key"})
    assert refused(reply) == (400, "INVALID_ARGUMENT")
    assert reply.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert refused(get(emulator, "/v1beta/batches?key=bad-key")) == (400, "INVALID_ARGUMENT")
    assert good(get(emulator, "/v1beta/batches?key=good-key")) == {}


def test_no_credential_is_forbidden_on_gemini_and_unauthenticated_on_vertex(emulator: Emulator):
    assert refused(get(emulator, "/v1beta/batches")) == (403, "PERMISSION_DENIED")
    assert refused(get(emulator, JOBS)) == (401, "UNAUTHENTICATED")
    assert refused(get(emulator, JOBS, **{"x-goog-api-key": "any"})) == (401, "UNAUTHENTICATED")
    assert refused(get(emulator, JOBS, authorization="Bearer bad-token")) == (401, "UNAUTHENTICATED")
    assert good(get(emulator, JOBS, authorization="Bearer anything-else")) == {}


def test_only_the_keys_given_pass():
    with Emulator(api_keys=["mine"]) as emulator:
        assert refused(get(emulator, "/v1beta/batches", **{"x-goog-api-key": "yours"}))[0] == 400
        assert good(get(emulator, "/v1beta/batches", **{"x-goog-api-key": "mine"})) == {}


def test_a_token_of_the_service_account_passes_until_it_expires_on_the_clock():
    with (
        Emulator(clock=VirtualClock()) as emulator,
        Vertex(emulator.url, token(emulator, CLOUD_PLATFORM)) as jobs,
    ):
        assert jobs.list() == {}
        emulator.clock.advance(3601)
        assert refused(jobs.http.get(JOBS)) == (401, "UNAUTHENTICATED")


def test_a_token_that_was_tampered_with_is_refused(emulator: Emulator):
    with Vertex(emulator.url, token(emulator, CLOUD_PLATFORM)[:-1] + "!") as jobs:
        assert refused(jobs.http.get(JOBS)) == (401, "UNAUTHENTICATED")


def test_a_token_needs_the_scopes_of_the_service(emulator: Emulator):
    narrow, wide = token(emulator, CLOUD_PLATFORM), token(emulator, CLOUD_PLATFORM, RETRIEVER)
    reply = get(emulator, "/v1beta/batches", authorization=f"Bearer {narrow}")
    assert refused(reply) == (403, "PERMISSION_DENIED")
    assert reply.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    assert good(get(emulator, "/v1beta/batches", authorization=f"Bearer {wide}")) == {}
    assert good(get(emulator, JOBS, authorization=f"Bearer {narrow}")) == {}


def test_a_jwt_signed_by_the_service_account_passes_and_a_strangers_does_not(emulator: Emulator):
    info = emulator.service_account_info()
    signer = crypt.RSASigner.from_service_account_info(info)
    now = int(time.time())
    claims = {
        "iss": info["client_email"],
        "sub": info["client_email"],
        "iat": now,
        "exp": now + 600,
        "aud": "x",
    }
    signed = google.auth.jwt.encode(signer, claims).decode()
    assert good(get(emulator, JOBS, authorization=f"Bearer {signed}")) == {}
    forged = signed[:-8] + "AAAAAAAA"
    assert refused(get(emulator, JOBS, authorization=f"Bearer {forged}"))[0] == 401
    stale = google.auth.jwt.encode(signer, {**claims, "exp": now - 600}).decode()
    assert refused(get(emulator, JOBS, authorization=f"Bearer {stale}"))[0] == 401


@pytest.mark.parametrize("assertion", ["", "a.b.c", "not a token"])
def test_an_assertion_nobody_signed_gets_an_oauth_error(emulator: Emulator, assertion: str):
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    with httpx.Client(trust_env=False, verify=False, timeout=120) as client:
        reply = client.post(f"{emulator.url}/token", data=form)
    assert reply.status_code == 400
    assert reply.json()["error"] in {"invalid_grant", "unsupported_grant_type"}


def test_one_account_may_act_as_another(emulator: Emulator):
    with Vertex(emulator.url, token(emulator, CLOUD_PLATFORM)) as jobs:
        path = "/v1/projects/-/serviceAccounts/other@p.iam.gserviceaccount.com:generateAccessToken"
        reply = good(jobs.http.post(path, json={"scope": [CLOUD_PLATFORM], "lifetime": "3600s"}))
    assert reply["expireTime"].endswith("Z")
    with Vertex(emulator.url, reply["accessToken"]) as other:
        assert other.list() == {}


def test_connections_hold_what_airflow_needs(emulator: Emulator):
    assert emulator.connection("gemini") == {
        "conn_type": "genai_batch",
        "host": emulator.url,
        "password": "emulator-key",
    }
    extra = emulator.connection("vertex")["extra"]
    assert extra["backend"] == "vertex"
    assert extra["keyfile_dict"]["token_uri"] == f"{emulator.url}/token"
    with pytest.raises(ValueError, match="azure"):
        emulator.connection("azure")


def test_upload_bytes_need_no_key(emulator: Emulator):
    with Gemini(emulator.url) as api:
        assert api.send(api.start(1), b"x").status_code == 200
