"""Airflow's API server in this process, with its pages and ours."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.pages.server import airflow_server, token_of


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Give the URL of Airflow's API server, over the database of these tests."""
    pytest.importorskip("airflow.api_fastapi.core_api.security", reason="pages need Airflow 3.1")
    with airflow_server() as url:
        yield url


@pytest.fixture(scope="module")
def token(server: str) -> str:
    """Give the token of a user who may look and change nothing, as the login page leaves it in a cookie."""
    return token_of("ann", "viewer")


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
