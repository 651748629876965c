"""The bytes that a query reads: dry runs report them, and ``maximumBytesBilled`` limits them.

Source: BigQuery's "Estimate and control costs" and its table of sizes of data types. Simplified: if a column's name
occurs anywhere in the statement, the whole column counts in each table that has it, even in partitions that are not
read; arrays and structs count as their text.
"""

# ruff: noqa: S608 - names of tables are quoted by bqemulator, those of columns here

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlglot
from bqemulator.api.routes import jobs
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.storage.sql_identifiers import quoted_table_ref
from sqlglot import exp

_MEGABYTE = 1024 * 1024
_LEAST_BILLED = 10 * _MEGABYTE
"""The least bytes billed for each table that a query reads."""
_SIZES = {
    **dict.fromkeys(("INTEGER", "INT64", "FLOAT", "FLOAT64", "DATE", "DATETIME", "TIME", "TIMESTAMP"), 8),
    **dict.fromkeys(("BOOLEAN", "BOOL"), 1),
    "NUMERIC": 16,
    "BIGNUMERIC": 32,
}


def with_bytes(original: Any) -> Any:
    """Refuse a query that reads more than its job allows, and report what it read.

    Args:
        original: bqemulator's function that runs a query job or describes its failure.
    """

    async def execute(
        *, ctx: Any, project_id: str, job_id: str, bq_sql: str, query_config: Any, config: Any, **rest: Any
    ) -> Any:
        sizes = sizes_read(bq_sql, project_id, ctx)
        billed = sum(max(_LEAST_BILLED, -(-size // _MEGABYTE) * _MEGABYTE) for size in sizes)
        most = query_config.get("maximumBytesBilled")
        if most and billed > int(most):
            message = f"Query exceeded limit for bytes billed: {most}. {billed} or higher required."
            error = jobs._domain_error_to_error_result(InvalidQueryError(message))  # noqa: SLF001 - upstream's form
            meta = jobs._failed_job_meta(  # noqa: SLF001 - as above
                project_id=project_id,
                job_id=job_id,
                job_type="QUERY",
                config=config,
                error_result={**error, "reason": "bytesBilledLimitExceeded"},
                now=ctx.clock.now(),
            )
        else:
            meta = await original(
                ctx=ctx,
                project_id=project_id,
                job_id=job_id,
                bq_sql=bq_sql,
                query_config=query_config,
                config=config,
                **rest,
            )
        if meta.error_result is None:
            _tell(meta.statistics, sum(sizes), billed)
        return meta

    return execute


def with_estimate(original: Any) -> Any:
    """Report a dry run's bytes, and remove its job: a dry run creates no job.

    Args:
        original: bqemulator's function that answers the dry run of a job.
    """

    async def answer(*, ctx: Any, project_id: str, job_id: str, bq_sql: str, **rest: Any) -> Any:
        reply = await original(ctx=ctx, project_id=project_id, job_id=job_id, bq_sql=bq_sql, **rest)
        ctx.catalog.delete_job(project_id, job_id)
        _tell(reply["statistics"], sum(sizes_read(bq_sql, project_id, ctx)), 0)
        return reply

    return answer


def of_what_it_selects(original: Any) -> Any:
    """Find the errors of a CREATE TABLE AS SELECT in its dry run; upstream checks only plain queries.

    Args:
        original: bqemulator's function that makes a dry run.
    """

    async def preview(*, bq_sql: str, **rest: Any) -> Any:
        try:
            tree = sqlglot.parse_one(bq_sql, read="bigquery")
        except sqlglot.errors.ParseError:
            return await original(bq_sql=bq_sql, **rest)
        if not isinstance(tree, exp.Create) or not isinstance(tree.expression, exp.Query):
            return await original(bq_sql=bq_sql, **rest)
        found = await original(bq_sql=tree.expression.sql(dialect="bigquery"), **rest)
        return {**found, "statementType": "CREATE_TABLE_AS_SELECT"}

    return preview


def sizes_read(sql: str, project: str, ctx: Any) -> list[int]:
    """Count the bytes that a statement reads, table by table.

    Args:
        sql: One statement.
        project: The project of tables without one.
        ctx: bqemulator's context.
    """
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.ParseError:
        return []
    names = {column.name.lower() for column in tree.find_all(exp.Column)}
    stars = any(isinstance(star.parent, exp.Select | exp.Column) for star in tree.find_all(exp.Star))
    found = []
    for table, called in _tables(tree):
        ref = (table.catalog or project, table.db, table.name)
        if not table.db or (meta := ctx.catalog.get_table(*ref)) is None:
            continue
        if meta.view_query:
            found += sizes_read(meta.view_query, project, ctx)
            continue
        whole = stars or bool(called & names)
        columns = [field for field in meta.schema_.fields if whole or field.name.lower() in names]
        found.append(_size(ref, columns, ctx))
    return found


def _tables(tree: exp.Expr) -> Iterator[tuple[exp.Table, set[str]]]:
    """Yield the tables that are read, each with the names that stand for a whole row of it."""
    target = (
        tree.this if isinstance(tree, exp.Create | exp.Insert | exp.Update | exp.Delete | exp.Merge) else None
    )
    for table in tree.find_all(exp.Table):
        if target is None or (table is not target and table is not target.this):
            yield table, {name.lower() for name in (table.alias, table.name) if name}


def _size(ref: tuple[str, ...], columns: list[Any], ctx: Any) -> int:
    if not columns:
        return 0
    total = " + ".join(f"COALESCE({_bytes_of(field)}, 0)" for field in columns)
    (size,) = ctx.engine.execute(f"SELECT SUM({total}) FROM {quoted_table_ref(*ref)}").fetchone()
    return int(size or 0)


def _bytes_of(field: Any) -> str:
    name = '"' + field.name.replace('"', '""') + '"'
    kind = field.type.upper()
    if field.mode != "REPEATED" and (fixed := _SIZES.get(kind)):
        return f"CASE WHEN {name} IS NULL THEN 0 ELSE {fixed} END"
    return f"2 + strlen(CAST({name} AS VARCHAR))"


def _tell(statistics: dict[str, Any], size: int, billed: int) -> None:
    statistics["totalBytesProcessed"] = str(size)
    statistics.setdefault("query", {}).update(totalBytesProcessed=str(size), totalBytesBilled=str(billed))
