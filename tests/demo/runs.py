"""Running the two examples and reading what came of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from tests.airflow_stack import AirflowClient
from tests.demo.report import Answers, Sample, progress_line, say, table

_SAMPLES = 4
_SECONDS = 300
_TOKENS = {"input": "promptTokenCount", "output": "candidatesTokenCount", "total": "totalTokenCount"}

Reader = Callable[[dict[str, Any]], Answers]


def run_and_report(airflow: AirflowClient, dag_id: str, title: str, read: Reader) -> bool:
    """Run a DAG, show how it gets on, and print its results.

    Args:
        airflow: The API of a running Airflow.
        dag_id: A DAG whose paying task is called ``answer``.
        title: Of the results.
        read: Reads rows by the manifest.

    Returns:
        Whether it succeeded.
    """
    begun = time.monotonic()
    run = airflow.trigger(dag_id)
    state = airflow.wait_for(run, _SECONDS, progress_line())
    say()
    if state != "success":
        say(airflow.logs(run))
        return False
    manifest = airflow.xcom(run, "answer")
    table(f"{dag_id}: {title}", manifest, read(manifest), time.monotonic() - begun)
    return True


def in_jsonl(manifest: dict[str, Any]) -> Answers:
    """Read the first rows of a results file; the tokens of all of them are in the manifest."""
    with Path(manifest["results_uri"]).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, _SAMPLES)]
    samples = [Sample(row["key"], row["status"], row["text"] or "") for row in rows]
    return Answers(samples, manifest["usage"])


def in_bigquery(client: bigquery.Client) -> Reader:
    """Return a reader of the table that Vertex AI wrote, by Google's own client.

    Args:
        client: Of the project.
    """

    def read(manifest: dict[str, Any]) -> Answers:
        name = manifest["output"][0].removeprefix("bq://")
        rows = client.query_and_wait(
            f"SELECT id, status, JSON_VALUE(response, '$.candidates[0].content.parts[0].text') AS text "
            f"FROM `{name}` ORDER BY id LIMIT {_SAMPLES}"
        )
        samples = [Sample(row["id"], row["status"] or "ok", row["text"] or "") for row in rows]
        sums = ", ".join(
            f"SUM(CAST(JSON_VALUE(response, '$.usageMetadata.{field}') AS INT64)) AS {label}"
            for label, field in _TOKENS.items()
        )
        (tokens,) = client.query_and_wait(f"SELECT {sums} FROM `{name}`")
        return Answers(samples, {label: tokens[label] or 0 for label in _TOKENS})

    return read
