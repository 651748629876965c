"""The fixtures. They import late, because a test suite may configure Airflow after this module is imported."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_genai_batch.testing.guard import guarded

if TYPE_CHECKING:
    from airflow_provider_genai_batch.emulator import Emulator
    from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
    from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage
    from airflow_provider_genai_batch.testing.clock import SharedClock


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    """Return the arguments of `Emulator`: jobs have ended at the first look. Override this for other arguments."""
    from airflow_provider_genai_batch.emulator import Lifecycle

    return {"lifecycle": Lifecycle.at_once()}


@pytest.fixture
def genai_batch_conn_id() -> str:
    """Return the id of the connection to the emulator. Override this if your DAGs use another id."""
    return "genai_batch_default"


@pytest.fixture
def no_real_google() -> Iterator[None]:
    """Fail the test if code in this process tries to reach one of Google's hosts."""
    with guarded() as reached:
        yield
    if reached:
        pytest.fail(f"The test wanted to reach {', '.join(dict.fromkeys(reached))}.", pytrace=False)


@pytest.fixture
def virtual_clock(emulator_settings: dict[str, Any]) -> Iterator[SharedClock]:
    """Let waits take no real time: in this process, this package's clock advances the clock of the test's emulators."""
    from airflow_provider_genai_batch import clock
    from airflow_provider_genai_batch.emulator import VirtualClock
    from airflow_provider_genai_batch.testing.clock import SharedClock

    service = emulator_settings.get("clock") or VirtualClock(datetime.now(timezone.utc))
    shared = SharedClock(service)
    with clock.replaced(shared):
        yield shared


@pytest.fixture
def emulator(
    emulator_settings: dict[str, Any],
    no_real_google: None,  # noqa: ARG001 - for its effect
    request: pytest.FixtureRequest,
) -> Iterator[Emulator]:
    """Provide an emulator of the Gemini API; the test fails if a fault or script was not used."""
    from airflow_provider_genai_batch.emulator import Emulator

    with Emulator(**_settings(emulator_settings, request)) as running:
        yield running


@pytest.fixture
def gemini(emulator: Emulator, genai_batch_conn_id: str, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Provide the emulator, with a connection to it."""
    _connect(monkeypatch, genai_batch_conn_id, emulator, "gemini")
    return emulator


@pytest.fixture(scope="session")
def cloud_storage() -> Iterator[CloudStorage]:
    """Provide an emulator of Cloud Storage, one for the session, with the bucket of the Vertex AI connection."""
    from airflow_provider_genai_batch.emulator.emulator import STAGING_BUCKET
    from airflow_provider_genai_batch.emulator.storage.stand_in import CloudStorage

    with CloudStorage() as running:
        running.create_bucket(STAGING_BUCKET)
        yield running


@pytest.fixture(scope="session")
def big_query() -> Iterator[BigQuery]:
    """Provide an emulator of BigQuery, one for the session, with the dataset ``tests``."""
    if not _has_big_query():
        pytest.skip("the extra emulator-bigquery is not installed")
    from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery

    with BigQuery() as running:
        running.create_dataset("tests")
        yield running


@pytest.fixture
def vertex(
    cloud_storage: CloudStorage,
    emulator_settings: dict[str, Any],
    genai_batch_conn_id: str,
    no_real_google: None,  # noqa: ARG001 - for its effect
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Emulator]:
    """Provide an emulator of Vertex AI with Cloud Storage and BigQuery, and a connection to it."""
    from airflow_provider_genai_batch.emulator import Emulator

    tables = request.getfixturevalue("big_query") if _has_big_query() else None
    with Emulator(**_settings(emulator_settings, request), storage=cloud_storage, bigquery=tables) as running:
        _connect(monkeypatch, genai_batch_conn_id, running, "vertex")
        yield running


def _settings(settings: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    if "virtual_clock" not in request.fixturenames:
        return settings
    return {**settings, "clock": request.getfixturevalue("virtual_clock").service}


def _has_big_query() -> bool:
    """Return whether the BigQuery emulator is installed: not all versions of Airflow and Python allow it."""
    return importlib.util.find_spec("bqemulator") is not None


def _connect(patch: pytest.MonkeyPatch, conn_id: str, emulator: Emulator, backend: str) -> None:
    patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(emulator.connection(backend)))
