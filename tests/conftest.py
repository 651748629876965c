"""Airflow set up for tests in this process, before anything imports it, and the emulator's fixtures."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_HOME = Path(tempfile.mkdtemp(prefix="genai-batch-airflow-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
(_HOME / "dags").mkdir()
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(_HOME / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__FERNET_KEY": "",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-tests-" * 6,
    "NO_PROXY": "127.0.0.1,localhost",
    # gcsfs would otherwise ask a control server that no emulator has, for minutes.
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
}

from airflow_provider_genai_batch.emulator import Emulator  # noqa: E402 - Airflow's settings come first


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Give an emulator of the Gemini API; it fails the test if a fault or script was not spent."""
    with Emulator() as running:
        yield running


@pytest.fixture
def gemini(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Give the emulator with the default connection pointing at it."""
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(emulator.connection("gemini")))
    return emulator
