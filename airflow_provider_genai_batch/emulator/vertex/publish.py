"""Writes the rows of a Vertex job to its destination, through the stand-ins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from airflow_provider_genai_batch.emulator.clock import micros_text
from airflow_provider_genai_batch.emulator.jobs.records import Job
from airflow_provider_genai_batch.emulator.jobs.spool import read_lines
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.vertex.rows.source import JobFailed, check_bucket
from airflow_provider_genai_batch.emulator.world import World

_MICROSECONDS = 1_000_000
_SURELY_MICROSECONDS = 1e11


def check_destination(world: World, job: Job, directory: str | None) -> None:
    """Fail the job if its destination cannot be written to.

    Raises:
        JobFailed: With code 9 or 7.
    """
    if directory is not None:
        check_bucket(world, directory, "storage.objects.create")
        return
    dataset, table, fresh = bigquery_names(job)
    if not fresh and not world.bigquery.dataset_exists(dataset):
        message = f"Failed to get BigQuery dataset location. Not found: Dataset {dataset}"
        raise JobFailed(9, message)
    if world.bigquery.table_exists(f"{dataset}.{table}"):
        message = f"Already Exists: Table {dataset}.{table}"
        raise JobFailed(9, message)


def bigquery_names(job: Job) -> tuple[str, str, bool]:
    """Return ``project.dataset``, the table, and whether the dataset must be created."""
    uri = job.resource["outputConfig"]["bigqueryDestination"]["outputUri"].removeprefix("bq://")
    project, *rest = uri.split(".")
    stamp = micros_text(job.created_ns).translate(str.maketrans("-:.", "___"))
    if len(rest) == 2:
        return f"{project}.{rest[0]}", rest[1], False
    if rest:
        return f"{project}.{rest[0]}", f"predictions_{stamp}", False
    model = names.last_part(job.model).translate(str.maketrans("-.@", "___"))
    return f"{project}.prediction_{model}_{stamp}", "predictions", True


def publish(world: World, job: Job, output: JsonObject, shards: int) -> JsonObject:
    """Write the spooled rows; return the output, including the values for outputInfo.

    Args:
        world: The emulator's state, which has the stand-ins.
        job: The job, which has ended.
        output: Its output so far.
        shards: How many of its objects must exist; a table is written as a whole.
    """
    path = world.blobs / output["blob"]
    if output.get("directory"):
        first = int(output.get("shards", 0))
        _objects(world, job, output["directory"], path, range(first, shards))
        return {**output, "shards": shards, "published": shards == job.script.shards}
    dataset, table, fresh = bigquery_names(job)
    if fresh:
        world.bigquery.create_dataset(dataset)
    rows = (json.loads(line) for line in read_lines(path))
    columns = _columns(output["columns"], output["results"], path)
    world.bigquery.create_and_insert(f"{dataset}.{table}", columns, (_fitting(row, columns) for row in rows))
    return {**output, "published": True, "dataset": f"bq://{dataset}", "table": table}


def _objects(world: World, job: Job, directory: str, path: Any, wanted: range) -> None:
    shards = job.script.shards
    total = sum(1 for _ in read_lines(path))
    each = -(-total // shards)
    rows = read_lines(path)
    for _ in islice(rows, wanted.start * each):
        pass
    for shard in wanted:
        # In captures, a single file is called predictions.jsonl; several are numbered.
        name = "predictions.jsonl" if shards == 1 else f"{shard:012d}.jsonl"
        world.storage.write(f"{directory}/{name}", _batched(islice(rows, each)))
    for name in job.script.extra_objects if wanted.start == 0 else ():
        world.storage.write(f"{directory}/{name}", [b"not rows\n"])


def _batched(rows: Iterator[bytes]) -> Iterator[bytes]:
    while batch := list(islice(rows, 1000)):
        yield b"\n".join(batch) + b"\n"


def _columns(given: list[Any], results: list[Any], path: Any) -> list[tuple[str, str]]:
    """Return the output's columns: those of the input table, or of its rows, and the results."""
    columns = [(str(name), str(kind)) for name, kind in given]
    added = [(str(name), str(kind)) for name, kind in results]
    if not columns:
        first: JsonObject = json.loads(next(read_lines(path), b"{}"))
        columns = [(name, _guessed(value)) for name, value in first.items() if name not in dict(added)]
    return [*columns, *added]


def _guessed(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    for types, kind in ((int, "INTEGER"), (float, "FLOAT"), ((dict, list), "JSON")):
        if isinstance(value, types):
            return kind
    return "STRING"


def _fitting(row: JsonObject, columns: list[tuple[str, str]]) -> JsonObject:
    return {name: _cell(row.get(name), kind) for name, kind in columns}


def _cell(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "STRING" and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if kind == "TIMESTAMP" and _is_number(value):
        # BigQuery returns timestamps as seconds or as whole microseconds, and accepts them as text.
        number = float(value)
        seconds = number / _MICROSECONDS if number > _SURELY_MICROSECONDS else number
        return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()
    return value


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
