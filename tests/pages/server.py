"""Airflow's API server in this process, with a user who may look and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator.serving.server import ServerThread


@contextmanager
def airflow_server() -> Iterator[str]:
    """Give its URL; it serves the database that this process uses."""
    from airflow.api_fastapi import app as airflow_app

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "tests.pages.auth.HidingAuthManager")
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "ann:viewer")
        airflow_app.purge_cached_app()
        thread = ServerThread(airflow_app.create_app(apps="core"), "127.0.0.1", 0)
        thread.start()
        try:
            yield f"http://127.0.0.1:{thread.port}"
        finally:
            thread.stop()
            airflow_app.purge_cached_app()


def token_of(username: str, role: str, **teams: list[str]) -> str:
    """Return what the login page leaves in the cookie ``_token`` of a user."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    manager: Any = get_auth_manager()
    user = SimpleAuthManagerUser(username=username, role=role, **teams)
    token: str = manager.generate_jwt(user, expiration_time_in_seconds=3600)
    return token
