"""No key, token, upload URL or private key in anything that people read."""

from __future__ import annotations

import io
import logging
import re
import traceback
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GoogleCredentials
from airflow_provider_genai_batch.client.auth.google import auth_for
from airflow_provider_genai_batch.client.transport.retries import Send
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import BadRequest, ConfigurationError, GenAIBatchError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from tests.client.places import KEY, MODEL, gemini_config, vertex_config
from tests.client.raw import RawServer, answer


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Log what we and the libraries below us log, at the finest."""
    names = ("airflow_provider_genai_batch", "httpx", "httpcore", "httpcore.http11", "google.auth", "urllib3")
    for name in names:
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def _text(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)


def _upload_ids(log: str) -> list[str]:
    return [found for found in re.findall(r"upload_id=([\w.-]+)", log) if found != "..."]


def test_no_log_record_of_a_gemini_job_holds_the_key_or_an_upload_url(
    emulator: Emulator, gem: Any, everything_logged: pytest.LogCaptureFixture
) -> None:
    emulator.faults.add("files.upload", Fault.lost_chunk())
    emulator.faults.add("batches.get", Fault.error(503))
    gem.get(gem.create(MODEL, gem.upload(io.BytesIO(_line()), name="files/mine")).name)
    log = _text(everything_logged)
    assert "HTTP Request: POST" in log  # httpx has logged
    assert "receive_response_headers" in log  # and httpcore
    assert KEY not in log
    assert not _upload_ids(log)


def test_no_log_record_of_a_vertex_job_holds_a_token_or_an_upload_url(
    ver: Any, everything_logged: pytest.LogCaptureFixture
) -> None:
    ver.upload(io.BytesIO(b"x"), "gs://emulator-staging/secrets/in.jsonl")
    log = _text(everything_logged)
    assert "/token" in log  # urllib3 has logged
    assert "ya29." not in log
    assert not _upload_ids(log)
    assert "PRIVATE KEY" not in log


def test_the_queries_of_other_urls_are_still_logged(everything_logged: pytest.LogCaptureFixture) -> None:
    import httpx

    log = logging.getLogger("httpx")
    log.info('HTTP Request: %s %s "%s"', "GET", httpx.URL("https://x/y?pageSize=5"), "HTTP/1.1")
    log.info("no arguments")
    assert "pageSize=5" in _text(everything_logged)


@pytest.mark.parametrize("method", ["files.start", "files.upload", "files.query", "batches.create"])
@pytest.mark.parametrize("kind", ["drop", "error", "html"])
def test_no_error_shows_the_key_or_an_upload_url(
    emulator: Emulator, gem: Any, method: str, kind: str
) -> None:
    fault = {"drop": Fault.drop(), "error": Fault.error(400), "html": Fault.html(404)}[kind]
    if method == "files.query":
        emulator.faults.add("files.upload", Fault.error(503))
    emulator.faults.add(
        method, replace(fault, times=5 if kind == "drop" and method != "batches.create" else 1)
    )
    with pytest.raises(GenAIBatchError) as caught:
        gem.create(MODEL, gem.upload(io.BytesIO(_line())))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY not in shown
    assert "upload_id" not in shown


def _echo(method: str, secret: str) -> Fault:
    """Answer in the way of a service, with the secret in every place that becomes part of an error."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": f"{secret}_BAD"}
    return Fault.error(400, f"{method}: {secret} not valid", [info])


def test_a_key_that_the_service_sends_back_is_not_passed_on(emulator: Emulator, gem: Any) -> None:
    emulator.faults.add("batches.create", _echo("API key", KEY))
    with pytest.raises(BadRequest, match=r"API key: \*\*\* not valid") as caught:
        gem.create(MODEL, ["hi"])
    assert KEY not in f"{caught.value!r} {caught.value.__dict__}"
    name = gem.upload(io.BytesIO(_line()))
    emulator.faults.add("files.download", _echo("API key", KEY))
    with pytest.raises(BadRequest, match=r"API key: \*\*\* not valid") as caught_later:
        gem.download(name)
    assert KEY not in str(caught_later.value)


def test_a_token_that_the_service_sends_back_is_not_passed_on(vertex_emulator: Emulator, ver: Any) -> None:
    token = ver.client._auth.headers()["authorization"].removeprefix("Bearer ")
    vertex_emulator.faults.add("batchPredictionJobs.list", _echo("token", token))
    with pytest.raises(BadRequest, match=r"token: \*\*\* not valid") as caught:
        ver.list()
    assert token not in f"{caught.value!r} {caught.value.__dict__}"


@pytest.mark.parametrize("status", [200, 400, 502])
def test_nor_is_it_where_a_proxy_shows_what_it_was_sent(connect: Any, naps: list[float], status: int) -> None:
    page = f"<html>x-goog-api-key: {KEY}</html>".encode()
    with RawServer(lambda request: answer(request, status, page)) as server:
        client = connect(ClientConfig(Backend.GEMINI, host=server.url, api_key=KEY))
        with pytest.raises(GenAIBatchError, match=r"x-goog-api-key: \*\*\*") as caught:
            client.create(MODEL, ["hi"])
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_row_may_hold_anything(emulator: Emulator, gem: Any) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.at_once(), answers={"k": f"the key is {KEY}"}))
    (row,) = gem.rows(gem.create(MODEL, [{"key": "k", "contents": "hi"}]).name)
    assert row.text == f"the key is {KEY}"


def test_nothing_shows_a_secret_when_it_is_printed(emulator: Emulator, gem: Any) -> None:
    config = vertex_config(emulator)
    account = emulator.service_account_info()
    chunk = gem.calls.send_file_chunk("https://up.example/upload?upload_id=s3cret", 0, b"prompts", last=True)
    things = [
        gem.client.config,
        config,
        config.google,
        auth_for(gem.client.config),
        auth_for(config),
        gem.client,
        gem.calls,
        chunk,
        chunk.request,
        Send(chunk.request),
        HttpAnswer(200, {"x-goog-upload-url": "https://up.example/upload?upload_id=s3cret"}, b"prompts"),
        gem.client.__dict__,
    ]
    shown = "".join(f"{thing!r} {thing}" for thing in things)
    for secret in (KEY, "s3cret", "prompts", "PRIVATE KEY", account["private_key"][60:90]):
        assert secret not in shown


def test_the_key_is_in_no_url(emulator: Emulator, gem: Any) -> None:
    gem.get(gem.create(MODEL, ["hi"]).name)
    gem.list()
    assert not any(one["has_key_query"] for one in emulator.requests)
    assert all(one["has_api_key"] for one in emulator.requests)


@pytest.mark.parametrize(
    "key", ["AIza-pasted\n", " AIza-pasted", "AIza-päste", "AIza pasted\x00", "\u200bAIza"]
)
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="Password") as caught:
        ClientConfig(Backend.GEMINI, api_key=key)
    assert "AIza" not in str(caught.value)


def _line() -> bytes:
    from tests.client.places import lines

    return lines("a")


# ---------------------------------------------------------------- configuration


def test_vertex_needs_a_project() -> None:
    with pytest.raises(ConfigurationError, match="project"):
        ClientConfig(Backend.VERTEX)


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "http://example.com"},
        {"host": "ftp://example.com"},
        {"host": "AIza-pasted-into-the-wrong-field"},
        {"host": "https://user:hunter2@example.com"},
        {"host": "https://example.com?key=hunter2"},
        {"host": "https://example.com#hunter2"},
        {"host": "https://[::1"},
        {"host": "https://example.com:port"},
        {"storage_endpoint": "http://10.0.0.1"},
        {"staging_uri": "s3://bucket"},
        {"location": "us-central1/../x"},
        {"location": "evil.example#"},
        {"project": "a/b"},
        {"api_version": "v1/../v2"},
        {"google": GoogleCredentials(quota_project="who\npays")},
    ],
)
def test_settings_that_are_unsafe_or_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ClientConfig(**{"backend": Backend.VERTEX, "project": "p", **settings})
    assert "hunter2" not in str(caught.value)
    assert "AIza" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    ["http://127.0.0.1:8765", "http://[::1]:8765", "http://localhost", "https://proxy.example/pre/fix"],
)
def test_plain_http_is_taken_for_loopback_only(host: str) -> None:
    assert ClientConfig(Backend.GEMINI, host=host, api_key="k").base_url() == host


@pytest.mark.parametrize("project", ["my-project", "example.com:my-project", "123456"])
def test_projects_of_every_kind_are_taken(project: str) -> None:
    assert ClientConfig(Backend.VERTEX, project=project).project == project


def test_the_upload_url_is_taken_to_the_host_of_the_connection(emulator: Emulator) -> None:
    from airflow_provider_genai_batch.client.calls import Calls

    call = Calls(gemini_config(emulator, host="https://proxy.example")).start_file(
        size=1, mime_type="x", name=None, display_name=None, file_name=None
    )
    headers = {"x-goog-upload-url": "https://inner.example/upload/v1beta/files?upload_id=1"}
    assert call.read(HttpAnswer(200, headers, b"")) == "https://proxy.example/upload/v1beta/files?upload_id=1"
