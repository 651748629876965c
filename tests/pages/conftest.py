"""Airflow's API server in this process, with its pages and ours: one for all tests of this folder, and one browser."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.browser.browser import CHROMEDRIVER, CHROMIUM, WHAT_TO_INSTALL, Browser
from tests.pages.server import airflow_server, token_of


@pytest.fixture(scope="package")
def server() -> Iterator[str]:
    """Give the URL of Airflow's API server, over the database of these tests."""
    pytest.importorskip("airflow.api_fastapi.core_api.security", reason="pages need Airflow 3.1")
    with airflow_server() as url:
        yield url


@pytest.fixture(scope="package")
def token(server: str) -> str:
    """Give the token of a user who may look and change nothing, as the login page leaves it in a cookie."""
    return token_of("ann", "viewer")


@pytest.fixture(scope="package")
def op_token(server: str) -> str:
    """Give that of a user who may clear tasks and read connections."""
    return token_of("bob", "op")


@pytest.fixture
def nobody(server: str) -> Iterator[httpx.Client]:
    """Give a client that has not signed in."""
    with httpx.Client(base_url=server, trust_env=False, timeout=120) as client:
        yield client


@pytest.fixture
def ann(server: str, token: str) -> Iterator[httpx.Client]:
    """Give a client that has."""
    with httpx.Client(base_url=server, trust_env=False, timeout=120, cookies={"_token": token}) as client:
        yield client


@pytest.fixture
def bob(server: str, op_token: str) -> Iterator[httpx.Client]:
    """Give a client of the user who may do more."""
    with httpx.Client(base_url=server, trust_env=False, timeout=120, cookies={"_token": op_token}) as client:
        yield client


@pytest.fixture(scope="package")
def browser(server: str) -> Iterator[Browser]:
    """Give a browser in which nobody has signed in."""
    if None in (CHROMIUM, CHROMEDRIVER):
        pytest.skip(WHAT_TO_INSTALL)
    with Browser(server) as browser:
        yield browser
