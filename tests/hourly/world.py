"""Runs of the hourly DAG, and what has to hold of each: paid once, each key once, types as asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle
from airflow_provider_genai_batch.models.jobs.identity import tag_of
from tests.crash.steps import marks, walked

if TYPE_CHECKING:
    from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
    from tests.airflow_stack import AirflowStack

DAGS = Path(__file__).with_name("dags")
CONNECTIONS = {"vertex": "genai_batch_vertex", "gemini": "genai_batch_default"}
KINDS = {"praise", "blame", "question"}
SCHEMA = {
    "id": ("INTEGER", "NULLABLE"),
    "day": ("DATE", "NULLABLE"),
    "body": ("STRING", "NULLABLE"),
    "kind": ("STRING", "NULLABLE"),
    "about": ("RECORD", "NULLABLE"),
    "words": ("STRING", "REPEATED"),
}
_LONGEST = 1800.0


@dataclass
class Hour:
    """One run.

    Attributes:
        cell: its name.
        deaths: the steps at which its task died.
        walk: all steps that its task reached.
        wrong: what does not hold of it.
    """

    cell: str
    deaths: list[str] = field(default_factory=list)
    walk: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Hours:
    """An Airflow with the DAG in it, what it talks to, and a folder for the marks of deaths."""

    airflow: AirflowStack
    emulator: Emulator
    storage: BigQuery
    marks: Path

    def begin(self) -> None:
        """Make what every run needs."""
        self.marks.mkdir(parents=True, exist_ok=True)
        self.storage.create_dataset("hourly")
        self.airflow.client.wait_for_dag("hourly")

    def run(self, cell: str, backend: str = "vertex", *, lives: int, rows: int = 12) -> Hour:
        """Run an hour whose task dies so many times, each at a step at which none has died before on that backend."""
        client, before = self.airflow.client, len(self.emulator.jobs)
        self.emulator.script(JobScript(lifecycle=Lifecycle(looks=2)), backend)
        more = {
            "pool": backend,
            "connection": CONNECTIONS[backend],
            "lives": lives,
            "injections": [],
            "after_create": False,
            "fine": False,
        }
        conf = {"cell": cell, "marks": str(self.marks), "rows": rows, **more}
        run = client.start("hourly", cell, conf)
        try:
            state = client.wait_for(run, timeout=_LONGEST)
        except TimeoutError as error:
            return Hour(cell, wrong=[str(error)])
        deaths = [
            f"attempt {one['attempt']}, {one['part']}: {one['step']}" for one in marks(self.marks, cell)
        ]
        hour = Hour(cell, deaths, [one["step"] for one in walked(self.marks, cell)])
        if state != "success":
            hour.wrong.append(f"it ended in {state}: {client.logs(run)[-4000:]}")
            return hour
        hour.wrong += self._paid(self.emulator.jobs[before:], rows)
        hour.wrong += self._landed(cell, rows)
        manifest = client.xcom(run, "classify")
        if manifest["counts"]["ok"] != rows:
            hour.wrong.append(f"the manifest counts {manifest['counts']}")
        return hour

    def _paid(self, jobs: list[dict[str, Any]], rows: int) -> list[str]:
        """One job for each fingerprint that has answered rows or goes on."""
        paid = [job for job in jobs if job["live"] or job["state"] == "SUCCEEDED"]
        tags = Counter(tag_of(job["display_name"]) for job in paid)
        wrong = [f"{count} jobs have the fingerprint {tag}" for tag, count in tags.items() if count > 1]
        if [int(job["rows"]["total"]) for job in paid] != [rows]:
            wrong.append(f"paid are {[(job['name'], job['rows']) for job in paid]}")
        return wrong

    def _landed(self, cell: str, rows: int) -> list[str]:
        """Read the tables as anybody would, by Google's own client."""
        client = bigquery.Client(
            project=self.storage.project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": self.storage.url},
        )
        wrong = []
        try:
            schema = client.get_table(f"{self.storage.project}.hourly.labels_{cell}").schema
            found = {one.name: (one.field_type, one.mode) for one in schema}
            if {name: found.get(name) for name in SCHEMA} != SCHEMA:
                wrong.append(f"the columns are {found}")
            (about,) = [one for one in schema if one.name == "about"]
            if [(one.name, one.field_type) for one in about.fields] != [
                ("name", "STRING"),
                ("weight", "FLOAT"),
            ]:
                wrong.append(f"about has {about.fields}")
            landed = [*client.list_rows(f"{self.storage.project}.hourly.labels_{cell}")]
            if sorted(row["id"] for row in landed) != [*range(1, rows + 1)]:
                wrong.append(f"its keys are {sorted(row['id'] for row in landed)}")
            wrong += [f"row {row['id']} is {dict(row)}" for row in landed if not _fits(row)]
            kinds = {
                row["kind"]: row["texts"]
                for row in client.list_rows(f"{self.storage.project}.hourly.kinds_{cell}")
            }
            if kinds != Counter(row["kind"] for row in landed):
                wrong.append(f"grouped they are {kinds}")
        finally:
            client.close()
        return wrong


def _fits(row: Any) -> bool:
    about, words = row["about"], row["words"]
    return (
        row["row_status"] == "ok"
        and row["day"] == date(2026, 1, 2)
        and row["body"] == f"Text {row['id']}"
        and row["kind"] in KINDS
        and isinstance(about["name"], str)
        and isinstance(about["weight"], float)
        and all(isinstance(word, str) for word in words)
    )
