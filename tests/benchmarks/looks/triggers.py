"""How each package's trigger is made to wait for a job of the service, and told by its event that it saw the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.looks.jobs import name

_KEY = "benchmark"
Make = Callable[[int], Any]
"""Makes a trigger for the job of that number."""


def maker(who: str, address: str, interval: int) -> tuple[Make, Callable[[dict[str, Any]], bool]]:
    """Return what makes triggers, and what tells whether an event says that the job succeeded.

    Connections and keys are put where they are looked for, as environment variables.
    """
    return _MAKERS[who](address, interval)


def _ours(address: str, interval: int) -> tuple[Make, Callable[[dict[str, Any]], bool]]:
    from airflow_provider_genai_batch.flows.watch import WaitPlan
    from airflow_provider_genai_batch.triggers.genai_batch import GenAIBatchTrigger

    connection = {"conn_type": "genai_batch", "password": _KEY, "host": address}
    os.environ["AIRFLOW_CONN_GENAI_BATCH_DEFAULT"] = json.dumps(connection)
    end = time.time() + 86400

    def make(number: int) -> Any:
        plan = WaitPlan(interval, end, end).as_dict()
        return GenAIBatchTrigger("genai_batch_default", [f"batches/{name(number)}"], plan)

    return make, lambda event: set(event["states"].values()) == {"BATCH_STATE_SUCCEEDED"}


def _google(address: str, interval: int) -> tuple[Make, Callable[[dict[str, Any]], bool]]:
    from airflow.providers.google.cloud.triggers.gen_ai import GenAIGeminiCreateBatchJobTrigger

    os.environ["GOOGLE_GEMINI_BASE_URL"] = address
    settings = {"project_id": "p", "location": "global", "model": "gemini-2.5-flash", "gemini_api_key": _KEY}

    def make(_: int) -> Any:  # it creates the job itself
        return GenAIGeminiCreateBatchJobTrigger(
            input_source="files/input", polling_interval=interval, **settings
        )

    return make, _succeeded


def _openai(address: str, interval: int) -> tuple[Make, Callable[[dict[str, Any]], bool]]:
    from airflow.providers.openai.triggers.openai import OpenAIBatchTrigger

    _openai_connection(address)

    def make(number: int) -> Any:
        return OpenAIBatchTrigger("openai_default", name(number), interval, timeout=86400)

    return make, _succeeded


def _common_ai(address: str, interval: int) -> tuple[Make, Callable[[dict[str, Any]], bool]]:
    from airflow.providers.common.ai.triggers.llm_batch import LLMBatchTrigger

    _openai_connection(address)
    end = time.time() + 86400

    def make(number: int) -> Any:
        return LLMBatchTrigger(
            llm_conn_id="openai_default",
            adapter="openai",
            batch_id=name(number),
            poll_interval=interval,
            end_time=end,
            cancel_on_kill=False,
            cancel_on_timeout=False,
        )

    return make, _succeeded


def _openai_connection(address: str) -> None:
    connection = {"conn_type": "openai", "password": _KEY, "host": f"{address}/v1"}
    os.environ["AIRFLOW_CONN_OPENAI_DEFAULT"] = json.dumps(connection)


def _succeeded(event: dict[str, Any]) -> bool:
    return event["status"] in ("success", "completed")


_MAKERS = {"ours": _ours, "google": _google, "openai": _openai, "common-ai": _common_ai}
