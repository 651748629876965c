"""Fixtures for users: the guard lets nothing through to Google, and puts everything back."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.testing.guard import RealGoogleReached, guarded, is_google

SERVICE = "https://generativelanguage.googleapis.com/v1beta/batches"


def by_httpx() -> None:
    httpx.get(SERVICE)


def by_httpx_on_a_loop() -> None:
    async def get() -> None:
        async with httpx.AsyncClient() as client:
            await client.get(SERVICE)

    asyncio.run(get())


def by_requests() -> None:
    requests.get(SERVICE, timeout=1)


def by_this_packages_client() -> None:
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="no-key")) as client:
        list(client.list())


def by_tls_through_somebody_else() -> None:
    with socket.socket() as connection:
        ssl.create_default_context().wrap_socket(connection, server_hostname="aiplatform.googleapis.com")


@pytest.mark.parametrize(
    "reach",
    [
        by_httpx,
        by_httpx_on_a_loop,
        by_requests,
        by_this_packages_client,
        by_tls_through_somebody_else,
    ],
)
def test_nobody_reaches_google_under_the_guard(
    reach: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with guarded() as reached:
        with pytest.raises(RealGoogleReached, match="must not reach it"):
            reach()
        assert len(reached) == 1


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal"])
def test_no_test_finds_itself_on_a_machine_of_google(host: str) -> None:
    with guarded() as reached, pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, 80))
    assert reached == []


def test_the_emulator_is_reached_and_all_is_put_back(emulator: Emulator) -> None:
    with guarded() as reached:
        assert httpx.get(f"{emulator.url}/_emulator/health", timeout=120).status_code == 200
    assert reached == []
    before = socket.getaddrinfo, socket.socket.connect, ssl.SSLContext.wrap_socket, ssl.SSLContext.wrap_bio
    with guarded():
        assert socket.getaddrinfo is not before[0]
    after = socket.getaddrinfo, socket.socket.connect, ssl.SSLContext.wrap_socket, ssl.SSLContext.wrap_bio
    assert after == before


@pytest.mark.parametrize(
    ("host", "googles"),
    [
        ("oauth2.googleapis.com", True),
        (b"STORAGE.googleapis.com.", True),
        ("googleapis.com", True),
        ("notgoogleapis.com", False),
        ("googleapis.com.example.org", False),
        ("127.0.0.1", False),
        (None, False),
    ],
)
def test_hosts_are_told_by_their_whole_name(host: object, googles: bool) -> None:
    assert is_google(host) is googles


FOREIGN = """
import contextlib

import httpx
import pytest

pytestmark = pytest.mark.usefixtures("no_real_google")


def test_hides_it():
    with contextlib.suppress(AssertionError):
        httpx.get("https://aiplatform.googleapis.com")


def test_has_none():
    httpx.Client().close()


@pytest.fixture
def genai_batch_conn_id():
    return "mine"


def test_has_its_own_connection(gemini, monkeypatch):
    import os

    assert gemini.url in os.environ["AIRFLOW_CONN_MINE"]
"""


def test_a_test_that_hides_its_trouble_with_the_guard_fails_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["airflow_provider_genai_batch.testing"]\n')
    (tmp_path / "test_foreign.py").write_text(FOREIGN)
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:bqemulator",
        "-p",
        "no:cacheprovider",
        "-rA",
        str(tmp_path),
    ]
    ran = subprocess.run(words, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert "The test wanted to reach aiplatform.googleapis.com." in ran.stdout
    assert "3 passed, 1 error" in ran.stdout  # the one that hides it passes, and its end is an error


def test_the_package_itself_needs_no_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import airflow_provider_genai_batch.decorators.genai_batch, airflow_provider_genai_batch.emulator\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
