"""The DAG runs: what each has to come to, and what it came to at Airflow, at the service and where rows land."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.models.jobs.identity import tag_of, task_key
from tests.airflow_stack import AirflowStack, DagRun

_CREATES = ("batches.create", "batchPredictionJobs.create")


@dataclass(frozen=True)
class Plan:
    """What a DAG run comes to, whatever dies on the way."""

    waits: int
    """Task instances that are deferred at once."""
    jobs: int
    """One for each task instance that asks, and for each of its rounds."""
    rows: int
    files: str = ""
    """Of its rows, below the folder of results."""


PLANS = {
    "in_place": Plan(0, 2, 5, "in_place.jsonl"),
    "wide": Plan(12, 12, 24, "wide-*.jsonl"),
    "inline_prompts": Plan(1, 1, 3, "inline.jsonl"),
    "jsonl_through_files_api": Plan(1, 1, 3, "files_api.jsonl"),
    "prompts_from_rows": Plan(1, 1, 3, "reviews.jsonl"),
    "submit_then_sense": Plan(1, 1, 3, "sensed.jsonl"),
    "prompts_from_a_function": Plan(2, 2, 6),
    "gcs_in_and_out": Plan(1, 1, 3),
    "nightly_bigquery": Plan(1, 1, 20),
}


@dataclass(frozen=True)
class Result:
    """What a DAG run came to."""

    dag_id: str
    state: str
    instances: int
    attempts: int
    jobs: int
    """Of different identities, and not cancelled by anybody."""
    creates: int
    rows: int
    keys: int
    """Different ones among its rows."""

    @property
    def good(self) -> bool:
        """Whether all is as planned: paid once, landed once."""
        plan = PLANS[self.dag_id]
        paid_once = self.jobs == self.creates == plan.jobs
        return self.state == "success" and paid_once and self.rows == self.keys == plan.rows


@dataclass(frozen=True)
class World:
    """Where it happens."""

    airflow: AirflowStack
    emulator: Emulator
    results: Path
    runs: dict[str, DagRun] = field(default_factory=dict)

    def instances(self, **query: Any) -> list[dict[str, Any]]:
        """Return the task instances of all runs, as the API tells of them."""
        path, query = "/dags/~/dagRuns/~/taskInstances", {"limit": 100, **query}
        found: list[dict[str, Any]] = self.airflow.client.call("GET", path, params=query)["task_instances"]
        return found

    def jobs_of(self, instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the jobs of task instances."""
        keys = {_key(one) for one in instances}
        return [job for job in self.emulator.jobs if tag_of(job["display_name"]).partition("-")[0] in keys]

    def end_jobs(self) -> None:
        """Let the service end all jobs that go on."""
        for job in self.emulator.jobs:
            if job["live"]:
                self.emulator.force(job["name"], "SUCCEEDED")

    def result(self, dag_id: str) -> Result:
        """Look at what a DAG run came to."""
        instances = [one for one in self.instances() if one["dag_id"] == dag_id]
        keys = {_key(one) for one in instances}
        rows = list(self._rows(dag_id))
        sent = [json.dumps(one["body"]) for one in self.emulator.requests if one["method"] in _CREATES]
        jobs = [job for job in self.jobs_of(instances) if not job["cancel_requested"]]
        return Result(
            dag_id,
            state=self.airflow.client.run_state(self.runs[dag_id]),
            instances=len(instances),
            attempts=sum(one["try_number"] for one in instances),
            jobs=len({tag_of(job["display_name"]) for job in jobs}),
            creates=sum(any(f" {key}-" in body for key in keys) for body in sent),
            rows=len(rows),
            keys=len(set(rows)),
        )

    def _rows(self, dag_id: str) -> Iterator[str]:
        """Read the keys of a run's rows, from where its DAG lets them land."""
        client, run = self.airflow.client, self.runs[dag_id]
        if dag_id == "nightly_bigquery":
            (table,) = client.xcom(run, "answer")["output"]
            yield from (row["id"] for row in self.emulator.bigquery.rows(table.removeprefix("bq://")))
        elif dag_id == "gcs_in_and_out":
            landed = b"".join(self.emulator.storage.read(client.xcom(run, "answer")["results_uri"]))
            yield from (json.loads(line)["key"] for line in landed.splitlines())
        elif dag_id == "prompts_from_a_function":  # its last task reads them from the service and counts
            yield from map(str, range(client.xcom(run, "count")))
        for file in self.results.glob(PLANS[dag_id].files or "none"):
            yield from (json.loads(line)["key"] for line in file.read_text().splitlines())


def _key(instance: dict[str, Any]) -> str:
    names = (instance[name] for name in ("dag_id", "task_id", "dag_run_id"))
    return task_key(*names, instance["map_index"])[:16]
