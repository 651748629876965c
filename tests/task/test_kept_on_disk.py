from __future__ import annotations

import logging
from pathlib import Path

import pytest

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.models import BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.inputs.read import read_input


def test_the_log_says_how_many_bytes_of_requests_are_on_the_workers_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"key": "a", "request": {"contents": [{"parts": [{"text": "Hi"}]}]}}\n')
    config = ClientConfig(Backend.GEMINI, api_key="AIza-a-key-0123456789")
    with (
        caplog.at_level(logging.INFO, "airflow_provider_genai_batch.task.inputs"),
        GenAIBatchClient(config) as client,
        read_input(client, BatchSource(path=str(path)), model="gemini-2.5-flash"),
    ):
        pass
    assert f"on this worker's disk for as long as they are read: {path.stat().st_size} bytes" in caplog.text
