"""Records properties of a table that bqemulator 1.4.0 ignores: labels, expiry, clustering, and its last change."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import sqlglot
from bqemulator.api.routes import jobs
from bqemulator.catalog import ddl_sync
from bqemulator.catalog.models import Clustering
from bqemulator.domain.errors import InvalidQueryError
from sqlglot import exp

_OF_EXPIRY = "expirationTime"
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE_TABLE"})


def with_options(original: Any) -> Any:
    """Record the options of a CREATE TABLE. If IF NOT EXISTS finds the table, nothing is recorded.

    Args:
        original: bqemulator's function that updates its catalog after a CREATE TABLE.
    """

    def sync(sql: str, project: str, ctx: Any) -> None:
        created = _created(sql)
        if created is None:
            original(sql, project, ctx)
            return
        target = ddl_sync._detect_plain_create_table(sql)  # noqa: SLF001 - upstream reads the names
        ref = None if target is None else ddl_sync._split_target(target, project)  # noqa: SLF001 - as above
        if ref and created.args.get("exists") and all(ref) and ctx.catalog.get_table(*ref) is not None:
            return
        original(sql, project, ctx)
        if ref and (table := ctx.catalog.get_table(*ref)) is not None:
            found = _options(created, ctx)
            if found:
                ctx.catalog.update_table(table.model_copy(update=found))

    return sync


def refusing_other_parts(original: Any) -> Any:
    """Refuse a CREATE OR REPLACE TABLE whose partitions or clusters are not those of the existing table.

    Args:
        original: bqemulator's function that runs a query job or describes its failure.
    """

    async def execute(
        *, ctx: Any, project_id: str, job_id: str, bq_sql: str, config: Any, **rest: Any
    ) -> Any:
        if problem := _other_parts(bq_sql, project_id, ctx):
            return jobs._failed_job_meta(  # noqa: SLF001 - upstream's form of a failed job
                project_id=project_id,
                job_id=job_id,
                job_type="QUERY",
                config=config,
                error_result=jobs._domain_error_to_error_result(InvalidQueryError(problem)),  # noqa: SLF001 - as above
                now=ctx.clock.now(),
            )
        return await original(
            ctx=ctx, project_id=project_id, job_id=job_id, bq_sql=bq_sql, config=config, **rest
        )

    return execute


def _other_parts(sql: str, project: str, ctx: Any) -> str:
    created = _created(sql) if "replace" in sql.lower() else None
    target = ddl_sync._detect_plain_create_table(sql) if created and created.args.get("replace") else None  # noqa: SLF001
    ref = None if target is None else ddl_sync._split_target(target, project)  # noqa: SLF001 - as above
    table = ctx.catalog.get_table(*ref) if ref and all(ref) else None
    if created is None or table is None:
        return ""
    properties = created.args.get("properties")
    asked = {type(one) for one in (properties.expressions if properties is not None else [])}
    parts = bool(table.time_partitioning or table.range_partitioning), bool(table.clustering)
    if parts == (exp.PartitionedByProperty in asked, exp.ClusterProperty in asked):
        return ""
    return "Cannot replace a table with a different partitioning spec. Instead, DROP the table, and then recreate it."


def noting_changes(original: Any) -> Any:
    """Record when DML changed a table.

    Args:
        original: bqemulator's function that runs one query.
    """

    async def execute(project: str, job_id: str, sql: str, *rest: Any, **named: Any) -> Any:
        meta = await original(project, job_id, sql, *rest, **named)
        if (meta.statistics.get("query") or {}).get("statementType") in _CHANGES:
            ctx = named.get("ctx") or rest[1]
            with suppress(sqlglot.errors.ParseError):
                target = jobs._destination_table_from_dml(sqlglot.parse_one(sql, read="bigquery"))  # noqa: SLF001
                if target is not None:
                    changed(ctx, target[0] or project, target[1], target[2])
        return meta

    return execute


def changed(ctx: Any, *ref: str) -> None:
    """Record that the rows of a table have changed.

    Args:
        ctx: bqemulator's context.
        ref: Project, dataset, table.
    """
    table = ctx.catalog.get_table(*ref)
    if table is not None:
        ctx.catalog.update_table(table.model_copy(update={"last_modified_time": ctx.clock.now()}))


def telling_expiry(original: Any) -> Any:
    """Show when a table expires.

    Args:
        original: bqemulator's function that converts a table to JSON.
    """

    def spell(table: Any) -> Any:
        body = original(table)
        if table.expiration_time is not None:
            body[_OF_EXPIRY] = str(int(table.expiration_time.timestamp() * 1000))
        return body

    return spell


def reading_expiry(original: Any) -> Any:
    """Read the expiry that a call sets for a table.

    Args:
        original: bqemulator's function that reads a table from a request.
    """

    def read(project: str, dataset: str, body: Any, clock: Any, existing: Any = None) -> Any:
        table = original(project, dataset, body, clock, existing)
        given = body.get(_OF_EXPIRY)
        expiry = datetime.fromtimestamp(int(given) / 1000, timezone.utc) if given else None
        if _OF_EXPIRY not in body and existing is not None:
            expiry = existing.expiration_time
        return table.model_copy(update={"expiration_time": expiry})

    return read


def _created(sql: str) -> exp.Create | None:
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.ParseError:
        return None
    return tree if isinstance(tree, exp.Create) else None


def _options(created: exp.Create, ctx: Any) -> dict[str, Any]:
    properties = created.args.get("properties")
    found: dict[str, Any] = {}
    for one in properties.expressions if properties is not None else []:
        if isinstance(one, exp.ClusterProperty):
            found["clustering"] = Clustering(fields=tuple(column.name for column in one.expressions))
        elif isinstance(one, exp.Property) and one.this is not None:
            value = one.args.get("value")
            if one.this.name.lower() == "labels" and isinstance(value, exp.Array):
                found["labels"] = dict(
                    tuple(part.name for part in pair.expressions) for pair in value.expressions
                )
            elif one.this.name.lower() == "expiration_timestamp" and value is not None:
                found["expiration_time"] = _moment(value, ctx)
    return found


def _moment(value: exp.Expression, ctx: Any) -> datetime:
    sql = f"SELECT epoch_ms(CAST({value.sql(dialect='duckdb')} AS TIMESTAMPTZ))"
    (milliseconds,) = ctx.engine.execute(sql).fetchone()
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
