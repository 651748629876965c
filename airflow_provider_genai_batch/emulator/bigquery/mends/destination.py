"""Query jobs with a destination table, which bqemulator 1.4.0 accepts but does not write."""

# ruff: noqa: S608 - names of tables are quoted and checked by bqemulator, those of columns here

from __future__ import annotations

from typing import Any

from bqemulator.api.routes import jobs
from bqemulator.catalog import ddl_sync
from bqemulator.domain.errors import AlreadyExistsError, InvalidQueryError, ResourceRef, resource_not_found
from bqemulator.jobs.executor import JOB_RESULTS, JOB_SCHEMAS, build_response_schema
from bqemulator.storage.sql_identifiers import quoted_table_ref, register_name

_PARTS = ("projectId", "datasetId", "tableId")


def with_destination(original: Any) -> Any:
    """Write the rows of a query job to its destination table, by its write disposition.

    Args:
        original: bqemulator's function that runs a query job or describes its failure.
    """

    async def execute(
        *, ctx: Any, project_id: str, job_id: str, query_config: Any, config: Any, **rest: Any
    ) -> Any:
        target = query_config.get("destinationTable")
        # The disposition is handled here; upstream's own handling of WRITE_APPEND only changes the answer.
        plain = {name: value for name, value in query_config.items() if name != "writeDisposition"}

        async def run() -> Any:
            return await original(
                ctx=ctx, project_id=project_id, job_id=job_id, query_config=plain, config=config, **rest
            )

        if not target:
            return await run()
        ref = tuple(target.get(part) or (project_id if part == "projectId" else "") for part in _PARTS)
        disposition = query_config.get("writeDisposition") or "WRITE_EMPTY"
        try:
            _check(ctx, ref, disposition)
        except (AlreadyExistsError, InvalidQueryError) as error:
            return _failure(ctx, project_id, job_id, config, error)
        meta = await run()
        if meta.error_result is not None:
            return meta
        if (meta.statistics.get("query") or {}).get("statementType") != "SELECT":
            message = "Cannot set destination table in jobs with DML or DDL statements"
            return _failure(ctx, project_id, job_id, config, InvalidQueryError(message))
        async with ctx.engine.write_lock():
            _write(ctx, ref, job_id, disposition)
        return meta

    return execute


def _failure(ctx: Any, project_id: str, job_id: str, config: Any, error: Any) -> Any:
    return jobs._failed_job_meta(  # noqa: SLF001 - upstream's form of a failed job
        project_id=project_id,
        job_id=job_id,
        job_type="QUERY",
        config=config,
        error_result=jobs._domain_error_to_error_result(error),  # noqa: SLF001 - as above
        now=ctx.clock.now(),
    )


def _check(ctx: Any, ref: tuple[str, ...], disposition: str) -> None:
    """Refuse what the real service refuses before a query runs.

    Raises:
        AlreadyExistsError: The disposition is WRITE_EMPTY, and the table has rows.
        InvalidQueryError: The disposition does not exist.
        NotFoundError: There is no such dataset.
    """
    if disposition not in {"WRITE_EMPTY", "WRITE_TRUNCATE", "WRITE_APPEND"}:
        message = f"Invalid write disposition: {disposition}"
        raise InvalidQueryError(message)
    if ctx.catalog.get_dataset(*ref[:2]) is None:
        raise resource_not_found(ResourceRef("dataset", ref[0], dataset_id=ref[1]))
    if disposition == "WRITE_EMPTY" and ctx.catalog.get_table(*ref) is not None:
        row = ctx.engine.execute(f"SELECT 1 FROM {quoted_table_ref(*ref)} LIMIT 1").fetchone()
        if row is not None:
            message = f"Already Exists: Table {ref[0]}:{ref[1]}.{ref[2]}"
            raise AlreadyExistsError(message)


def _write(ctx: Any, ref: tuple[str, ...], job_id: str, disposition: str) -> None:
    """Write the job's rows, then return the table's content as the job's result, as the service does."""
    table = quoted_table_ref(*ref)
    rows = JOB_RESULTS[job_id]
    view = register_name("__bqemu_write_destination")
    connection = ctx.engine.connection
    connection.register(view, rows)
    try:
        columns = ", ".join(_cast(field) for field in rows.schema)
        if disposition == "WRITE_APPEND" and ctx.catalog.get_table(*ref) is not None:
            connection.execute(f"INSERT INTO {table} BY NAME SELECT {columns} FROM {view}")
        else:
            connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT {columns} FROM {view}")
    finally:
        connection.unregister(view)
    # The function that records a CREATE TABLE in the catalog also records this one.
    ddl_sync.sync_created_table(f"CREATE TABLE `{'.'.join(ref)}` AS SELECT 1", ref[0], ctx)
    JOB_RESULTS[job_id] = ctx.engine.fetch_arrow(f"SELECT * FROM {table}")
    JOB_SCHEMAS[job_id] = build_response_schema(JOB_RESULTS[job_id].schema)


def _cast(field: Any) -> str:
    """Return SQL for a column with the type that DuckDB gave it, because Arrow loses some types (JSON)."""
    name = '"' + field.name.replace('"', '""') + '"'
    kind = (field.metadata or {}).get(b"bqemu.duckdb_type", b"").decode()
    return f"CAST({name} AS {kind}) AS {name}" if kind else name
