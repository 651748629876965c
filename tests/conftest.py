"""Airflow set up for tests in this process, before anything imports it, and the emulator's fixtures."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
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
from airflow_provider_genai_batch.emulator.bigquery import BigQuery  # noqa: E402
from airflow_provider_genai_batch.emulator.storage import CloudStorage  # noqa: E402

BUCKET = "emulator-staging"
"""The bucket of the emulator's own Vertex connection."""


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


@pytest.fixture(scope="session")
def cloud_storage() -> Iterator[CloudStorage]:
    """Give a real Cloud Storage emulator, one for the session."""
    with CloudStorage() as running:
        running.create_bucket(BUCKET)
        yield running


@pytest.fixture(scope="session")
def big_query() -> Iterator[BigQuery]:
    """Give a real BigQuery emulator, one for the session."""
    if sys.version_info < (3, 11):
        pytest.skip("the BigQuery emulator needs Python 3.11")
    with BigQuery() as running:
        running.create_dataset("tests")
        yield running


@pytest.fixture
def vertex(
    cloud_storage: CloudStorage, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Emulator]:
    """Give an emulator of Vertex AI over the stand-ins there are, with the default connection pointing at it."""
    tables = request.getfixturevalue("big_query") if sys.version_info >= (3, 11) else None
    with Emulator(storage=cloud_storage, bigquery=tables) as running:
        monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(running.connection("vertex")))
        yield running
