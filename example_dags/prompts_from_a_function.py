"""A function makes the prompts, one job for each language; the downstream task reads all rows.

Connection: ``genai_batch_default``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_genai_batch.hooks.genai_batch import read_rows

CITIES = ("Rome", "Oslo", "Lima")

with DAG(
    "prompts_from_a_function",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    doc_md=__doc__,
    # A retry reattaches to the job of the attempt before it, so it pays nothing twice.
    default_args={"retries": 2},
) as dag:

    @task
    def languages() -> list[str]:
        return ["English", "German"]

    @task.genai_batch(model="gemini-2.5-flash", deferrable=True)
    def ask(language: str) -> Iterator[dict]:
        print(f"Making prompts in {language}.")
        for city in CITIES:
            yield {"key": city, "contents": f"Where is {city}? Answer in {language}."}

    @task
    def count(manifests: list[dict]) -> int:
        rows = list(read_rows(manifests))
        for row in rows:
            print(row.key, row.status.value, row.text)
        return len(rows)

    count(ask.expand(language=languages()))
