"""Checks and uploads a list of prompts with apache-airflow-providers-common-ai, by the steps of its operator; prints
what it cost. Runs in that package's environment.

Arguments: address, rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from airflow.providers.common.ai.batch import state
from airflow.providers.common.ai.batch.openai import OpenAIBatchAdapter
from airflow.providers.common.ai.batch.output_schema import build_output_spec
from airflow.providers.common.ai.operators.llm_batch import LLMBatchOperator
from data import answers
from meter import measured

MODEL = "gpt-5-mini"
_WARM_UP = 1000


def main(address: str, rows: int) -> dict[str, float]:
    """Ask a few rows, so that all code is there, and then all."""
    adapter = OpenAIBatchAdapter(api_key="benchmark", base_url=f"{address}/v1")
    spec = build_output_spec(str)

    def ask(prompts: list[str]) -> None:
        requests = LLMBatchOperator._normalize_requests(prompts)
        fingerprint = state.compute_fingerprint(
            requests=requests,
            llm_conn_id="benchmark",
            model_id=f"openai:{MODEL}",
            system_prompt="",
            max_tokens=1024,
            request_params=None,
            output_schema="str",
        )
        settings = {"model": MODEL, "idempotency_key": "a" * 16, "output_spec": spec}
        adapter.validate_requests(requests, **settings)
        adapter.submit(requests, input_fingerprint=fingerprint, **settings)

    few, all_ = list(answers("plain", _WARM_UP)), list(answers("plain", rows))
    ask(few)
    return measured(lambda: ask(all_), rows)


if __name__ == "__main__":
    _, one, two = sys.argv
    print(json.dumps(main(one, int(two))))  # noqa: T201 - it is read
