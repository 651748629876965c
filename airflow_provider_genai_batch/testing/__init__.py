"""Pytest fixtures for testing your own DAGs; they need pytest and the extra ``emulator``.

In the topmost ``conftest.py``: ``pytest_plugins = ["airflow_provider_genai_batch.testing"]``.
"""

from __future__ import annotations

from airflow_provider_genai_batch.testing.clock import SharedClock
from airflow_provider_genai_batch.testing.fixtures import (
    big_query,
    cloud_storage,
    emulator,
    emulator_settings,
    gemini,
    genai_batch_conn_id,
    no_real_google,
    vertex,
    virtual_clock,
)

__all__ = [
    "SharedClock",
    "big_query",
    "cloud_storage",
    "emulator",
    "emulator_settings",
    "gemini",
    "genai_batch_conn_id",
    "no_real_google",
    "vertex",
    "virtual_clock",
]
