"""Corrections of bqemulator 1.4.0. Without each of them, a test could pass or fail wrongly.

* It loads DuckDB's spatial extension from a host on the internet and refuses to start without it. The extension is
  left out; a query with geography fails because its functions are missing.
* It forgets that a column is JSON in ``CREATE TABLE``, with or without ``AS SELECT``, and reports STRING.
* It loses STRUCT columns in ``*``, and the case of names, in each statement with a function that it
  rewrites, such as CONCAT. The step that causes this, which finds the type of AVG of a NUMERIC, is left out.
* It ignores the destination table of a query job, and labels, expiry and clustering of a table. It reports a table as
  changed if CREATE TABLE IF NOT EXISTS did not change it, but not if DML did.
* It replaces a table with partitions or clusters by one without.
* It does not count bytes: a dry run reports 0, finds no errors in CREATE TABLE AS SELECT and uses up the job's id, and
  ``maximumBytesBilled`` has no effect.
* It gives a load job that comes with its file a new job id, so the caller's id has no
  effect, refuses the content type that Google's Python client sends for such a file, and drops columns that
  the table does not have.
* It answers some calls in threads of their own, but has one connection to DuckDB, which keeps one result at a time. So
  two calls at once got each other's rows, or an error. Here calls are answered one after another.
* It copies a whole table after each change of its rows, for ``FOR SYSTEM_TIME AS OF``, and keeps the copies for days: a
  table that is filled in a hundred calls takes fifty times its size. Here it copies none, and the clause is refused.
* Its engine takes most of the machine's memory before it uses files, and those are in the working directory.
* It parses a statement about fifty times, which takes seconds for a long one. Here parsed statements are cached.

The corrections use private names of bqemulator, so its version is pinned; if a name is missing, the start fails.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from bqemulator.api.routes import jobs, tables, upload
from bqemulator.catalog import ddl_sync
from bqemulator.domain.errors import AlreadyExistsError
from bqemulator.jobs import executor
from bqemulator.scripting import interpreter
from bqemulator.sql.translator import SQLTranslator
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.storage.sql_identifiers import quoted_table_ref
from bqemulator.versioning.snapshots import SnapshotManager
from fastapi import routing
from sqlglot.dialects.dialect import Dialect

from airflow_provider_genai_batch.emulator.bigquery.mends.bytes_billed import (
    of_what_it_selects,
    with_bytes,
    with_estimate,
)
from airflow_provider_genai_batch.emulator.bigquery.mends.destination import with_destination
from airflow_provider_genai_batch.emulator.bigquery.mends.load import refuse_unknown_columns
from airflow_provider_genai_batch.emulator.bigquery.options import (
    noting_changes,
    reading_expiry,
    refusing_other_parts,
    telling_expiry,
    with_options,
)

_JOB_ID = "_job_id"
_MOST_PARSED = 64
"""The most statements whose parse trees are cached."""
_MEMORY = "4GB"
"""The most memory that the engine uses for rows; the others are in files."""
_upload_job_id: ContextVar[str] = ContextVar("upload_job_id")


def mend(spool: Path) -> None:
    """Apply every correction; call this once, before the server is built.

    Args:
        spool: Where rows are kept that do not fit in memory.
    """
    _replace(Dialect, "parse", _parsed_once)
    _replace(DuckDBEngine, "_load_spatial", lambda _original: lambda _self: None)
    _replace(DuckDBEngine, "_apply_session_pragmas", _with_little_memory(spool))
    _replace(routing, "run_in_threadpool", lambda _original: _in_turn)
    _replace(SnapshotManager, "capture", lambda _original: lambda *_table, **_kind: None)
    _replace(ddl_sync, "_introspect_schema", _keeping_json)
    _replace(SQLTranslator, "_annotate_tree", lambda _original: staticmethod(lambda tree, _schema: tree))
    _replace(jobs, "_execute_query_or_failed_meta", with_destination)
    _replace(jobs, "_execute_query_or_failed_meta", with_bytes)
    _replace(jobs, "_execute_query_or_failed_meta", refusing_other_parts)
    _replace(jobs, "_build_dry_run_query_response", with_estimate)
    _replace(jobs, "_dry_run_response", of_what_it_selects)
    _replace(jobs, "execute_query_job", noting_changes)
    for importer in (executor, interpreter):
        _replace(importer, "sync_created_table", with_options)
    _replace(tables, "_table_to_rest", telling_expiry)
    _replace(tables, "_rest_to_table_meta", reading_expiry)
    _replace(upload, "_load_configuration_from_envelope", _remembering_job_id)
    _replace(upload, "_new_job_id", lambda original: lambda: _upload_job_id.get(None) or original())
    _replace(upload, "_run_load", _under_the_callers_id)
    _replace(
        upload, "_is_permitted_media_type", lambda original: lambda kind: kind == "*/*" or original(kind)
    )


def _replace(owner: Any, name: str, wrap: Any) -> None:
    setattr(owner, name, wrap(getattr(owner, name)))


async def _in_turn(answer: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Answer on the event loop, where statements run, too."""
    return answer(*given, **named)


def _with_little_memory(spool: Path) -> Any:
    def wrap(original: Any) -> Any:
        def apply(self: DuckDBEngine) -> None:
            original(self)
            self.connection.execute(f"SET memory_limit = '{_MEMORY}'")
            self.connection.execute("SET temp_directory = '{}'".format(str(spool).replace("'", "''")))

        return apply

    return wrap


def _parsed_once(original: Any) -> Any:
    """Return copies of cached parse trees, because callers may change them."""
    kept: dict[Any, list[Any]] = {}

    def parse(self: Dialect, sql: str, **how: Any) -> list[Any]:
        key = (type(self), repr(self.settings), sql, repr(how))
        trees = kept.pop(key, None)
        if trees is None:
            trees = original(self, sql, **how)
        kept[key] = trees
        while len(kept) > _MOST_PARSED:
            del kept[next(iter(kept))]
        return [tree and tree.copy() for tree in trees]

    return parse


def _keeping_json(original: Any) -> Any:
    """Read the JSON columns from DuckDB, which still knows them; Arrow's schema has strings instead."""

    def introspect(project: str, dataset: str, table: str, ctx: Any) -> Any:
        ref = quoted_table_ref(project, dataset, table)
        rows = ctx.engine.execute(f"SELECT * FROM {ref} LIMIT 0")  # noqa: S608 - upstream quotes the names
        kinds = {column[0]: column[1] for column in rows.description}
        schema = original(project, dataset, table, ctx)
        fields = tuple(_with_json(field, kinds[field.name]) for field in schema.fields)
        return schema.model_copy(update={"fields": fields})

    return introspect


def _with_json(field: Any, kind: Any) -> Any:
    """Return a column of the catalog with JSON as the type where DuckDB has it, also inside of a STRUCT."""
    while kind.id == "list":
        kind = kind.child
    if str(kind) == "JSON":
        return field.model_copy(update={"type": "JSON"})
    if kind.id != "struct":
        return field
    inner = dict(kind.children)
    fields = tuple(_with_json(one, inner[one.name]) for one in field.fields)
    return field.model_copy(update={"fields": fields})


def _remembering_job_id(original: Any) -> Any:
    def configuration(envelope: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = original(envelope)
        job_id = envelope.get("jobReference", {}).get("jobId")
        return {**found, _JOB_ID: job_id} if job_id else found

    return configuration


def _under_the_callers_id(original: Any) -> Any:
    used: set[tuple[str, str]] = set()

    async def run_load(*, project_id: str, configuration: dict[str, Any], **rest: Any) -> Any:
        plain = {name: value for name, value in configuration.items() if name != _JOB_ID}
        refuse_unknown_columns(project_id, plain["load"], rest["media_path"], rest["ctx"].catalog)
        job_id = configuration.get(_JOB_ID)
        if job_id is None:
            return await original(project_id=project_id, configuration=plain, **rest)
        if (project_id, job_id) in used or rest["ctx"].catalog.get_job(project_id, job_id) is not None:
            message = f"Already Exists: Job {project_id}:US.{job_id}"
            raise AlreadyExistsError(message)
        used.add((project_id, job_id))
        token = _upload_job_id.set(job_id)
        try:
            return await original(project_id=project_id, configuration=plain, **rest)
        finally:
            _upload_job_id.reset(token)

    return run_load
