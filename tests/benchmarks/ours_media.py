"""Lands a job's pictures with this package; prints what it cost. A process of its own, without Airflow.

Arguments: address, number of pictures, folder, and at which file to die (0: at none).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from airflow_provider_genai_batch.client import ClientConfig, GenAIBatchClient
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.inputs.facts import InputFacts
from airflow_provider_genai_batch.task.landing.land import land_jobs
from airflow_provider_genai_batch.task.landing.landing import Landing
from tests.benchmarks.meter import measured

FEW = 3


def main(address: str, pictures: int, folder: Path, dies_at: int) -> dict[str, float]:
    """Land a few pictures, so that all code is there, and then all."""
    with GenAIBatchClient(ClientConfig(Backend.GEMINI, api_key="benchmark", host=address)) as client:

        def land(number: int) -> dict[str, float]:
            job = client.get(f"batches/pictures-{number}")
            asked = InputFacts(number, keyed=True, stamped=True)
            landing = Landing(
                str(folder / f"rows-{number}.jsonl"), media_uri=str(folder / f"media-{number}"), facts=asked
            )
            return measured(lambda: land_jobs(client, [job], landing), number)

        land(FEW)
        if dies_at:
            _die_before_file(dies_at)
        return land(pictures)


def _die_before_file(number: int) -> None:
    """Let the process be killed when so many files have been written, the last one not yet under its name."""
    left, sync = [number], os.fsync

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(descriptor)

    os.fsync = fsync


if __name__ == "__main__":
    _, one, two, three, four = sys.argv
    print(json.dumps(main(one, int(two), Path(three), int(four))))  # noqa: T201 - it is read
