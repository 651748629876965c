"""Clients of both services: sync and async, the same method names."""

from __future__ import annotations

from airflow_provider_genai_batch.client.aio import AsyncGenAIBatchClient
from airflow_provider_genai_batch.client.config import ClientConfig, GoogleCredentials
from airflow_provider_genai_batch.client.sync import GenAIBatchClient

__all__ = ["AsyncGenAIBatchClient", "ClientConfig", "GenAIBatchClient", "GoogleCredentials"]
