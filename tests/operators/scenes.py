"""The four kinds of sources on both services, as one list of scenes for the same test bodies."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.hooks.genai_batch import GenAIBatchHook
from airflow_provider_genai_batch.task.cost import prices

MODEL = "gemini-2.5-flash"
PROMPTS = {"alpha": "Say alpha", "0042": "Say beta", "gamma": "Say gamma {{ ds }}"}
"""By key; one key looks like a number, one prompt like a template."""


@dataclass(frozen=True)
class Scene:
    """An emulator and the operator's arguments that ask it `PROMPTS`."""

    emulator: Emulator
    arguments: dict[str, Any] = field(default_factory=dict)
    rows_stay: bool = False
    """The rows stay in BigQuery."""

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return self.emulator.jobs


def lines() -> bytes:
    """Return the prompts as JSONL."""
    return b"".join(
        json.dumps(
            {"key": key, "request": {"contents": [{"role": "user", "parts": [{"text": text}]}]}}
        ).encode()
        + b"\n"
        for key, text in PROMPTS.items()
    )


def requests() -> list[dict[str, Any]]:
    """Return the prompts as a list."""
    return [{"key": key, "contents": text} for key, text in PROMPTS.items()]


def without_price_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package with the price list not be installed."""

    def not_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(prices, "version", not_installed)


def client() -> GenAIBatchClient:
    """Return a client of the default connection."""
    return GenAIBatchHook().get_conn()


def _path(emulator: Emulator, folder: Path) -> Scene:
    path = folder / "in.jsonl"
    path.write_bytes(lines())
    return Scene(emulator, {"src": str(path)})


def _inline(emulator: Emulator, folder: Path) -> Scene:
    return Scene(emulator, {"src": requests()})


def _uploaded(emulator: Emulator, folder: Path) -> Scene:
    path = folder / "in.jsonl"
    path.write_bytes(lines())
    with client() as service:
        return Scene(emulator, {"src": service.upload(path)})


def _gcs(emulator: Emulator, folder: Path) -> Scene:
    uri = f"gs://emulator-staging/{uuid4().hex}/in.jsonl"
    path = folder / "in.jsonl"
    path.write_bytes(lines())
    with client() as service:
        service.upload(path, uri)
    return Scene(emulator, {"src": uri})


def _staged_inline(emulator: Emulator, folder: Path) -> Scene:
    return Scene(emulator, {"src": requests(), "dest": f"gs://emulator-staging/{uuid4().hex}/"})


def _staged_path(emulator: Emulator, folder: Path) -> Scene:
    scene = _path(emulator, folder)
    return Scene(emulator, {**scene.arguments, "dest": f"gs://emulator-staging/{uuid4().hex}/"})


def _bigquery(emulator: Emulator, folder: Path) -> Scene:
    tables = emulator.bigquery
    if tables is None:
        pytest.skip("the extra emulator-bigquery is not installed")
    name = f"{tables.project}.tests.t{uuid4().hex}"
    rows = [
        {"id": key, "request": json.dumps({"contents": [{"role": "user", "parts": [{"text": text}]}]})}
        for key, text in PROMPTS.items()
    ]
    tables.create_and_insert(name, [("id", "STRING"), ("request", "STRING")], rows)
    return Scene(emulator, {"src": f"bq://{name}", "dest": f"bq://{name}_out"}, rows_stay=True)


SCENES: dict[str, tuple[str, Callable[[Emulator, Path], Scene]]] = {
    "gemini-inline": ("gemini", _inline),
    "gemini-file": ("gemini", _path),
    "gemini-uploaded": ("gemini", _uploaded),
    "vertex-gcs": ("vertex", _gcs),
    "vertex-bigquery": ("vertex", _bigquery),
    "vertex-inline": ("vertex", _staged_inline),
    "vertex-file": ("vertex", _staged_path),
}
