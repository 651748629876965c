"""Connections as people write them."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_genai_batch.client import ClientConfig
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.hooks.connection import client_config
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.models.base import Backend


def read(extra: dict[str, Any] | None = None, conn_type: str = "genai_batch", **fields: Any) -> ClientConfig:
    connection = Connection(conn_id="c", conn_type=conn_type, extra=json.dumps(extra or {}), **fields)
    return client_config(connection)


def test_a_password_alone_means_the_gemini_api() -> None:
    config = read(password="k")
    assert (config.backend, config.api_key, config.version) == (Backend.GEMINI, "k", "v1beta")
    assert config.base_url() == "https://generativelanguage.googleapis.com"


def test_a_project_means_vertex_at_the_global_location() -> None:
    config = read({"project": "p"})
    assert (config.backend, config.location, config.version) == (Backend.VERTEX, "global", "v1")
    assert config.base_url() == "https://aiplatform.googleapis.com"


def test_a_project_may_be_its_number() -> None:
    assert read({"project": 123456}).place == "projects/123456/locations/global"


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_the_location_names_the_host(location: str, host: str) -> None:
    assert read({"project": "p", "location": location}).base_url() == host


def test_the_backend_can_be_said_outright() -> None:
    assert read({"backend": "gemini", "project": "p"}, password="k").backend is Backend.GEMINI


@pytest.mark.parametrize(
    ("conn_type", "wrong", "right"),
    [
        ("genai_batch", "bakend", "backend"),
        ("genai_batch", "project_id", "project"),
        ("genai_batch", "max_cost_per_dya", "max_cost_per_day"),
        ("genai_batch", "max_enqueued_token", "max_enqueued_tokens"),
        ("google_cloud_platform", "max_cost_a_day", "max_cost_per_day"),
    ],
)
def test_a_misspelled_field_is_not_taken_for_none(conn_type: str, wrong: str, right: str) -> None:
    with pytest.raises(ConfigurationError, match=f'"{wrong}" in the extra .* Did you mean "{right}"'):
        read({wrong: 5, "project": "p"}, conn_type)
    assert read({wrong: "", "project": "p"}, conn_type).project == "p"  # a form stores what is empty, too


def test_fields_of_other_packages_are_left_alone() -> None:
    google = (
        "num_retries",
        "use_legacy_sql",
        "location",
        "priority",
        "labels",
        "api_resource_configs",
        "gcs.endpoint",
    )
    others = (
        "client_id",
        "client_secret",
        "idp_extra_parameters",
        "universe_domain",
        "comment",
        "project_id",
    )
    assert (
        read(dict.fromkeys((*google, *others), "x") | {"project": "p"}, "google_cloud_platform").project
        == "p"
    )
    assert read({"comment": "x", "num_retries": 5, "gcs.endpoint": "x"}, password="k").api_key == "k"


def test_a_google_cloud_connection_means_vertex_with_its_own_extras() -> None:
    extra = {
        "extra__google_cloud_platform__project": "p",
        "key_path": "/keys/k.json",
        "impersonation_chain": "a@x, b@x",
        "scope": "https://s/1,https://s/2",
        "num_retries": 5,
    }
    config = read(extra, conn_type="google_cloud_platform")
    assert (config.backend, config.project, config.google.key_path) == (Backend.VERTEX, "p", "/keys/k.json")
    assert config.google.impersonation_chain == ("a@x", "b@x")
    assert config.google.scopes == ("https://s/1", "https://s/2")


@pytest.mark.parametrize(
    "host", ["http://127.0.0.1:8765", "http://localhost:1", "http://[::1]:2", "https://proxy/x"]
)
def test_plain_http_is_for_loopback(host: str) -> None:
    assert read(password="k", host=host).base_url() == host


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("http://127.0.0.1", 8765, "http://127.0.0.1:8765"),
        ("https://proxy/x", 8443, "https://proxy:8443/x"),
        ("proxy", 8443, "https://proxy:8443"),
        ("http://[::1]", 2, "http://[::1]:2"),
        ("http://127.0.0.1:8765", 443, "http://127.0.0.1:8765"),
        ("", 443, "https://generativelanguage.googleapis.com"),
    ],
)
def test_a_port_belongs_to_a_host_that_has_none(host: str, port: int, url: str) -> None:
    assert read(password="k", host=host, port=port).base_url() == url


@pytest.mark.parametrize(
    ("extra", "flash", "pro"),
    [
        ({}, None, None),
        ({"max_enqueued_tokens": 5}, 5, 5),
        ({"max_enqueued_tokens": "5"}, 5, 5),
        ({"max_enqueued_tokens": {"gemini-2.5-flash": 7}}, 7, None),
        ({"max_enqueued_tokens": '{"models/gemini-2.5-flash": 7, "*": 9}'}, 7, 9),
    ],
)
def test_enqueued_tokens_are_limited_for_every_model_or_by_model(
    extra: dict[str, Any], flash: int | None, pro: int | None
) -> None:
    config = read(extra, password="k")
    assert config.enqueued_tokens_of("publishers/google/models/gemini-2.5-flash") == flash
    assert config.enqueued_tokens_of("gemini-2.5-pro") == pro


@pytest.mark.parametrize(("given", "usd"), [(None, None), ("", None), (5, 5.0), ("2.5", 2.5)])
def test_a_limit_of_a_day_is_a_number_or_the_text_of_a_form(given: Any, usd: float | None) -> None:
    assert read({"max_cost_per_day": given}, password="k").max_cost_per_day == usd


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "plain http elsewhere": ({"password": "k", "host": "http://example.com"}, "loopback"),
    "a key in the host": ({"password": "k", "host": "https://u:s3cr3t@example.com"}, "Password"),
    "a query in the host": ({"password": "k", "host": "https://example.com?key=s3cr3t"}, "Password"),
    "no project": ({"extra": {"backend": "vertex"}}, '"project"'),
    "a backend that is none": ({"extra": {"backend": "bard"}}, '"gemini" or "vertex"'),
    "a project that is no text": (
        {"extra": {"project": ["p"]}},
        '"project" in the connection\'s extra is not a text',
    ),
    "staging elsewhere": ({"extra": {"project": "p", "staging_uri": "s3://b/"}}, "gs://"),
    "a limit of no tokens": ({"password": "k", "extra": {"max_enqueued_tokens": 0}}, "max_enqueued_tokens"),
    "a limit that is no number": (
        {"password": "k", "extra": {"max_enqueued_tokens": {"a": "many"}}},
        "by model",
    ),
    **{
        f"a limit of {usd!r} USD": ({"password": "k", "extra": {"max_cost_per_day": usd}}, "max_cost_per_day")
        for usd in (0, -1, "much", True, "nan", "inf")
    },
    "a key that is no JSON": ({"extra": {"project": "p", "keyfile_dict": "s3cr3t"}}, "keyfile_dict"),
    "nobody at all": (
        {"conn_type": "google_cloud_platform", "extra": {"project": "p", "is_anonymous": True}},
        "no anonymous calls",
    ),
    "an account named in a way that is not read": (
        {"conn_type": "google_cloud_platform", "extra": {"project": "p", "idp_issuer_url": "https://s3cr3t"}},
        "idp_issuer_url",
    ),
    "an account named twice": (
        {"extra": {"project": "p", "key_path": "/k.json", "credential_config_file": '{"token": "s3cr3t"}'}},
        "key_path, credential_config_file",
    ),
    "a configuration that is no JSON": (
        {"extra": {"project": "p", "credential_config_file": "{s3cr3t"}},
        "credential_config_file",
    ),
    "another type": ({"conn_type": "http"}, "genai_batch"),
    "Gemini by a Google connection": (
        {"conn_type": "google_cloud_platform", "extra": {"backend": "gemini"}},
        "genai_batch",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_without_telling_a_secret(case: str) -> None:
    fields, words = REFUSED[case]
    with pytest.raises(ConfigurationError) as caught:
        read(**fields)
    assert words in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_google_cloud_connection_without_a_project_means_that_of_its_key(tmp_path: Path) -> None:
    key = {"type": "service_account", "project_id": "of-the-key"}
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    for extra in ({"keyfile_dict": json.dumps(key)}, {"key_path": str(path)}):
        assert read(extra, conn_type="google_cloud_platform").project == "of-the-key"
        assert read({**extra, "project": "p"}, conn_type="google_cloud_platform").project == "p"


USER = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}


def test_without_a_project_or_a_key_it_means_that_of_the_configuration_or_of_this_machine(
    vertex: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {**vertex.service_account_info(), "project_id": "of-the-account"}
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account))
    for given in (str(path), json.dumps(account), account):
        config = read({"credential_config_file": given}, conn_type="google_cloud_platform")
        assert config.project == "of-the-account"
    with pytest.raises(ConfigurationError, match='"project"'):
        read({"credential_config_file": USER}, conn_type="google_cloud_platform")
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    assert read(conn_type="google_cloud_platform").project == "of-the-account"
    assert read({"project": "p"}, conn_type="google_cloud_platform").project == "p"


@pytest.mark.parametrize(
    ("account", "project"),
    [
        ("runner@acted-for.iam.gserviceaccount.com", "acted-for"),
        ("runner@acted-for.example.com.iam.gserviceaccount.com", "example.com:acted-for"),
    ],
)
def test_an_account_that_is_acted_as_brings_its_own_project(account: str, project: str) -> None:
    key = {"type": "service_account", "project_id": "of-the-key"}
    extra = {"keyfile_dict": key, "impersonation_chain": f"via@other.iam.gserviceaccount.com, {account}"}
    assert read(extra, conn_type="google_cloud_platform").project == project
    assert read({**extra, "project": "p"}, conn_type="google_cloud_platform").project == "p"


def test_a_default_account_that_is_acted_as_tells_no_project() -> None:
    extra = {"impersonation_chain": "1-compute@developer.gserviceaccount.com"}
    with pytest.raises(ConfigurationError, match='"project"'):
        read(extra, conn_type="google_cloud_platform")


def test_a_key_whose_line_ends_are_escaped_works(vertex: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    key = vertex.service_account_info()
    escaped = {**key, "private_key": key["private_key"].replace("\n", "\\n")}
    extra = {"project": "p", "location": "us-central1", "keyfile_dict": json.dumps(escaped)}
    connection = {"conn_type": "google_cloud_platform", "host": vertex.url, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ESCAPED", json.dumps(connection))
    assert GenAIBatchHook("escaped").test_connection()[0]


def test_a_client_for_an_event_loop_does_not_block_it_to_learn_the_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []

    def project(_: Any) -> str:
        asked.append(threading.current_thread() is threading.main_thread())
        return "p"

    monkeypatch.setattr("airflow_provider_genai_batch.hooks.connection.project_of", project)
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps({"conn_type": "google_cloud_platform"}))

    async def connect() -> None:
        client = await GenAIBatchHook("bare").get_async_conn()
        assert client.config.project == "p"
        await client.close()

    asyncio.run(connect())
    assert asked == [False]


@pytest.mark.parametrize("anonymous", [False, "false", "False"])
def test_what_a_form_of_google_leaves_empty_or_at_its_default_is_no_matter(anonymous: Any) -> None:
    extra = {
        "project": "p",
        "location": "europe-west4",
        "key_path": "",
        "keyfile_dict": None,
        "is_anonymous": anonymous,
        "idp_issuer_url": "",
        "num_retries": 5,
        "quota_project_id": "who-pays",
    }
    config = read(extra, conn_type="google_cloud_platform")
    assert (config.location, config.google.quota_project) == ("europe-west4", "who-pays")


def test_nothing_secret_is_in_the_repr() -> None:
    config = read({"backend": "gemini", "keyfile_dict": {"private_key": "secret"}}, password="secret")
    assert "secret" not in repr(config)


def test_the_test_button_tells_whether_the_service_answers(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GenAIBatchHook().test_connection() == (True, f"gemini answers at {gemini.url}")
    bad = {**gemini.connection("gemini"), "password": "bad-key"}
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(bad))
    good, message = GenAIBatchHook().test_connection()
    assert not good
    assert message.startswith(f"gemini at {gemini.url}: ")
    assert "API_KEY_INVALID" in message
    assert "bad-key" not in message


def test_a_service_account_key_works_from_a_file_and_from_the_connection(
    vertex: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps(vertex.service_account_info()))
    extra = {"project": "p", "location": "us-central1", "key_path": str(key)}
    connection = {"conn_type": "genai_batch", "host": vertex.url, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BY_PATH", json.dumps(connection))
    for conn_id in ("by_path", "genai_batch_default"):
        assert GenAIBatchHook(conn_id).test_connection()[0]
    assert all(request["has_bearer"] for request in vertex.requests if request["method"] != "oauth.token")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('["hush"]', "a list and no object"),
        ('"hush"', "a str and no object"),
        ("5", "a int and no object"),
        ("hush=1", "cannot be read as JSON"),
    ],
)
@pytest.mark.parametrize("conn_type", ["genai_batch", "google_cloud_platform"])
def test_an_extra_that_is_no_object_is_refused_without_telling_it(
    extra: str, said: str, conn_type: str
) -> None:
    connection = Connection(conn_id="c", conn_type=conn_type, password="k")
    connection.extra = extra
    with pytest.raises(ConfigurationError, match=said) as refused:
        client_config(connection)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("extra", [None, "", "{}", "null"])
def test_an_empty_extra_is_none(extra: str | None) -> None:
    connection = Connection(conn_id="c", conn_type="genai_batch", password="k")
    connection.extra = extra
    assert client_config(connection).backend is Backend.GEMINI
