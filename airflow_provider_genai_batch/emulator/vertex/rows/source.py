"""Reads the input of a Vertex job through the stand-ins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_genai_batch.emulator.jobs.spool import lines_of
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, loads
from airflow_provider_genai_batch.emulator.vertex.rows.family import Family, RowImporter
from airflow_provider_genai_batch.emulator.vertex.rows.importer import FAILED, ImportFailed
from airflow_provider_genai_batch.emulator.world import World

RESULT_COLUMNS = ("response", "status", "processed_time")
_PARSED = frozenset({"request", "body"})
_DROPPED = frozenset({"RECORD", "STRUCT", "ARRAY", "RANGE", "DATETIME", "GEOGRAPHY"})


class JobFailed(Exception):
    """The job ends FAILED, for a reason that create did not notice."""

    def __init__(self, code: int, message: str) -> None:
        """Set the reason, with a gRPC number."""
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Input:
    """The rows of a job.

    Attributes:
        rows: The rows as received; the keys of a BigQuery row are its columns.
        columns: The columns of a BigQuery source that are copied to the output: names and types, in order.
    """

    rows: Iterator[JsonObject]
    columns: list[tuple[str, str]] = field(default_factory=list)


def check_bucket(world: World, uri: str, right: str) -> None:
    """Fail the job if a bucket does not exist, or the service has no access to it.

    Raises:
        JobFailed: With code 9 or 7.
    """
    bucket = uri.removeprefix("gs://").split("/", 1)[0]
    if not world.storage.bucket_exists(bucket):
        message = f"Failed to get GCS bucket location. Bucket: {bucket}. The specified bucket does not exist."
        raise JobFailed(9, message)
    if "forbidden" in bucket:
        agent = "service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com"
        message = f"{agent} does not have {right} access to the Google Cloud Storage bucket {bucket}."
        raise JobFailed(7, message)


def from_storage(world: World, uris: list[str], family: Family) -> Input:
    """Read and check JSONL objects.

    Raises:
        JobFailed: An object does not exist; while rows are read: the importer cannot read one.
    """
    return Input(_imported(world, family.importer(), _objects(world, uris), family.most))


def count_rows(world: World, uris: list[str]) -> int | None:
    """Return how many rows JSONL objects have; None if they cannot be read, which the job reports when it ends."""
    try:
        return sum(1 for uri in _objects(world, uris) for _ in lines_of(world.storage.read(uri)))
    except JobFailed:
        return None


def _objects(world: World, uris: list[str]) -> list[str]:
    objects: list[str] = []
    for uri in uris:
        check_bucket(world, uri, "storage.objects.get")
        prefix, _, _ = uri.partition("*")
        found = [name for name, _ in world.storage.list(prefix)]
        # A star stands for part of one path segment.
        pattern = re.compile(re.escape(uri).replace(re.escape("*"), "[^/]*"))
        wanted = [name for name in found if pattern.fullmatch(name)]
        if not wanted:
            message = f"{FAILED} Not found: URI {uri}"
            raise JobFailed(3, message)
        objects += wanted
    return objects


def _imported(world: World, importer: RowImporter, objects: list[str], most: int) -> Iterator[JsonObject]:
    count = 0
    for uri in objects:
        for line in lines_of(world.storage.read(uri)):
            count += 1
            if count > most:
                message = f"{FAILED} The input has more than {most} rows."
                raise JobFailed(3, message)
            try:
                yield importer.row(line)
            except ImportFailed as problem:
                raise JobFailed(problem.code, str(problem)) from problem
    if not count:
        raise JobFailed(3, f"{FAILED} The input has no rows.")


def from_table(world: World, uri: str, family: Family) -> Input:
    """Read a table.

    Args:
        world: The emulator's state, which has BigQuery.
        uri: ``bq://project.dataset.table``.
        family: The family of the model, which needs certain columns.

    Raises:
        JobFailed: There is no such table or column, or there are columns that only an output may have.
    """
    table = uri.removeprefix("bq://")
    if not world.bigquery.table_exists(table):
        message = f"{FAILED} Not found: Table {table}"
        raise JobFailed(3, message)
    columns = world.bigquery.columns(table)
    names = [name for name, _ in columns]
    for needed in family.needed:
        if needed not in names:
            message = f"{FAILED} The table {table} has no column {needed!r}."
            raise JobFailed(3, message)
    resumes = family.resumes and all(name in names for name in RESULT_COLUMNS)
    for name in family.reserved:
        if name in names and not resumes:
            message = f"{FAILED} The column name {name!r} is reserved."
            raise JobFailed(3, message)
    read = [
        (name, kind)
        for name, kind in columns
        if kind not in _DROPPED and (not family.resumes or name not in RESULT_COLUMNS)
    ]
    return Input(_from_table(world, table, read, family, resumes=resumes), family.copied(read))


def _from_table(
    world: World, table: str, columns: list[tuple[str, str]], family: Family, *, resumes: bool
) -> Iterator[JsonObject]:
    for count, row in enumerate(world.bigquery.rows(table), 1):
        if count > family.most:
            message = f"{FAILED} The input has more than {family.most} rows."
            raise JobFailed(3, message)
        try:
            yield family.import_row(_table_row(row, columns, resumes=resumes), count)
        except ImportFailed as problem:
            raise JobFailed(problem.code, str(problem)) from problem


def _table_row(row: JsonObject, columns: list[tuple[str, str]], *, resumes: bool) -> JsonObject:
    kept = {name: row.get(name) for name, _ in columns}
    if resumes:
        kept |= {
            name: _parsed(row.get(name)) if name == "response" else row.get(name) for name in RESULT_COLUMNS
        }
    for name in _PARSED & kept.keys():
        kept[name] = _parsed(kept[name])
    return kept


def _parsed(value: Any) -> Any:
    """Parse a JSON column, or text that contains JSON. Any other value is kept, and fails as a row."""
    if isinstance(value, str):
        try:
            return loads(value)
        except (ValueError, RecursionError):
            return value
    return value
