"""Lands a job's rows with apache-airflow-providers-common-ai; prints what it cost. Runs in that package's environment.

Arguments: address, kind, rows, target.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from airflow.providers.common.ai.batch.openai import OpenAIBatchAdapter
from airflow.providers.common.ai.batch.output_schema import build_output_spec
from airflow.providers.common.ai.batch.results import stream_results_to_jsonl
from airflow.sdk import ObjectStoragePath
from meter import measured
from shapes import Review

_WARM_UP = 1000


def main(address: str, kind: str, rows: int, target: str) -> dict[str, float]:
    """Land a few rows, so that all code is there, and then all."""
    adapter = OpenAIBatchAdapter(api_key="benchmark", base_url=f"{address}/v1")
    spec = build_output_spec(Review if kind == "structured" else str)

    def land(number: int) -> None:
        counts, _ = stream_results_to_jsonl(
            adapter=adapter,
            batch_id=f"{kind}-{number}",
            output_spec=spec,
            request_count=number,
            custom_id_prefix="request",
            destination=ObjectStoragePath(f"file://{target}"),
        )
        assert counts["success"] == number, counts

    land(_WARM_UP)
    figures = measured(lambda: land(rows), rows)
    Path(target).unlink()
    return figures


if __name__ == "__main__":
    _, one, two, three, four = sys.argv
    print(json.dumps(main(one, two, int(three), four)))  # noqa: T201 - it is read
