"""A process that asks at once, for tests that kill it: ``python -m tests.task.asks_at_once SETTINGS`` (JSON)."""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient, GoogleCredentials
from airflow_provider_genai_batch.flows.submission.attempt import Attempt
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.journal import writer
from airflow_provider_genai_batch.task.rounds.online import round as online
from tests.task.plain_task import PlainTask, attempt

CALLS, LINES = 8, 16
"""Calls under way, and lines of a part: small, so that few requests show what is lost."""


def main(given: dict[str, Any]) -> None:
    """Run one attempt and print its manifest."""
    online.MAX_CALLS = CALLS
    online.PART_LINES = writer.PART_LINES = LINES
    config = dict(given["config"])
    if "account" in config:
        config["google"] = GoogleCredentials(keyfile_dict=config.pop("account"))
    with GenAIBatchClient(ClientConfig(**{**config, "backend": Backend(config["backend"])})) as client:
        settings = {"tier": "standard", "results_uri": given["results_uri"]}
        task = attempt(PlainTask(is_first_try=given["first"]), client, given["prompts"], **settings)
        json.dump(task.run(Attempt(look_first=not given["first"])), sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
