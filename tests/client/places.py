"""Connections to the emulator, and jobs on either of its services."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx

from airflow_provider_genai_batch.client import ClientConfig, GoogleCredentials
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.models.base import Backend

KEY = "AIza-not-a-real-key-0123456789"
MODEL = "gemini-2.5-flash"
PROJECT = "emulator-project"
BUCKET = "gs://emulator-staging"
_NUMBERS = count()


def gemini_config(emulator: Emulator, **settings: Any) -> ClientConfig:
    """Connect with an API key."""
    return ClientConfig(**{"backend": Backend.GEMINI, "host": emulator.url, "api_key": KEY, **settings})


def vertex_config(
    emulator: Emulator, *, google: dict[str, Any] | None = None, **settings: Any
) -> ClientConfig:
    """Connect with the emulator's service account."""
    account = {"keyfile_dict": emulator.service_account_info(), **(google or {})}
    return ClientConfig(
        **{
            "backend": Backend.VERTEX,
            "host": emulator.url,
            "project": PROJECT,
            "location": "us-central1",
            "google": GoogleCredentials(**account),
            "storage_endpoint": emulator.storage_url or None,
            **settings,
        }
    )


def uploaded(emulator: Emulator) -> list[dict[str, Any]]:
    """List the files of the Files API, as the service shows them."""
    answer = httpx.get(
        f"{emulator.url}/v1beta/files?pageSize=100", headers={"x-goog-api-key": KEY}, timeout=120
    )
    files: list[dict[str, Any]] = answer.raise_for_status().json().get("files", [])
    return files


def lines(*keys: str) -> bytes:
    """Write a JSONL input."""
    row = {"request": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}}
    return b"".join(json.dumps({"key": key, **row}).encode() + b"\n" for key in keys)


@dataclass
class Either:
    """A service, with a client of it."""

    service: str
    emulator: Emulator
    client: Any
    storage: Any = None

    @property
    def vertex(self) -> bool:
        """Whether it is Vertex AI."""
        return self.service == "batchPredictionJobs"

    def create(self, *keys: str, **settings: Any) -> Any:
        """Create a job with a request per key."""
        if not self.vertex:
            requests = [{"contents": "hi", "key": key} for key in keys or ("a", "b")]
            return self.client.create(MODEL, requests, **settings)
        place = f"{BUCKET}/client-{next(_NUMBERS)}"
        self.storage.write(f"{place}/in.jsonl", [lines(*(keys or ("a", "b")))])
        return self.client.create(MODEL, f"{place}/in.jsonl", dest=f"{place}/out/", **settings)

    def posts(self) -> int:
        """Count create calls that arrived."""
        return sum(1 for one in self.emulator.requests if one["method"] == f"{self.service}.create")
