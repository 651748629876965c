"""Running a Vertex job."""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.progress import Ending
from airflow_provider_genai_batch.emulator.records import Job
from airflow_provider_genai_batch.emulator.world import Outcome, World


def produce(world: World, job: Job, ending: Ending) -> Outcome:
    """Answer the rows."""
    raise NotImplementedError
