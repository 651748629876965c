"""Lands a job's rows with this package; prints what it cost. A process of its own.

Arguments: address, kind, rows, target, and settings of the landing as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check
from tests.benchmarks.meter import measured
from tests.benchmarks.shapes import Review

_WARM_UP = 1000


def main(address: str, kind: str, rows: int, target: str, settings: dict[str, Any]) -> dict[str, float]:
    """Land a few rows, so that all code is there, and then all."""
    validate = answer_check(Review) if kind == "structured" else None
    own = settings.pop("own_keys", False)
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="benchmark", host=address)) as client:

        def land(number: int) -> None:
            job = client.get(f"batches/{kind}-{number}")
            key_sum = sum(key_digest(stamp(index)) for index in range(number)) & MASK if own else None
            asked = InputFacts(number, keyed=True, stamped=not own, key_sum=key_sum)
            landing = Landing(results_uri=target, facts=asked, validate=validate, **settings)
            figures.update(measured(lambda: tallies.append(land_jobs(client, [job], landing)), number))
            counts = tallies.pop().counts
            assert counts.ok == counts.total == number, counts

        tallies: list[RowCounter] = []
        figures: dict[str, float] = {}
        land(_WARM_UP)
        land(rows)
    Path(target).unlink()
    return figures


if __name__ == "__main__":
    _, one, two, three, four, five = sys.argv
    print(json.dumps(main(one, two, int(three), four, json.loads(five))))  # noqa: T201 - it is read
