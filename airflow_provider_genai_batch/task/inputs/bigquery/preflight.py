"""Checks datasets, tables and statements before anything is paid, and names what is missing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_genai_batch.exceptions import (
    ApiError,
    BadRequest,
    InputError,
    NotFound,
    PermissionDenied,
)
from airflow_provider_genai_batch.task.tables.ask import TableAsk
from airflow_provider_genai_batch.task.tables.rehearsed import rehearsed
from airflow_provider_genai_batch.wire.tables.sql import DatasetName, InnerQuery
from airflow_provider_genai_batch.wire.tables.statements import Snapshot

if TYPE_CHECKING:
    from airflow_provider_genai_batch.client.storage.queries import Queries, TableFacts

log = logging.getLogger(__name__)

_MANY_REGIONS = ("us", "eu")
ANYWHERE = "global"
"""The location of jobs that run anywhere."""


class TablePreflight:
    """Checks datasets, tables and statements without cost."""

    def __init__(self, queries: Queries, ask: TableAsk, job_location: str) -> None:
        self._queries, self._ask, self._job_location = queries, ask, job_location

    def look(self) -> tuple[TableFacts, str]:
        """Return the facts about the source, and the location of the datasets.

        Raises:
            InputError: a dataset or table does not exist, may not be read, or is in another location.
        """
        ask, problems = self._ask, list[str]()
        places: dict[DatasetName, str] = {}
        for what, dataset in (
            ("src", ask.source.place),
            ("staging", ask.staging),
            ("dest", ask.result.place),
        ):
            if dataset in places:
                continue
            try:
                places[dataset] = self._queries.location_of(dataset)
            except NotFound:
                problems.append(f"the dataset {dataset} of {what} does not exist: create it")
            except PermissionDenied as error:
                problems.append(
                    _lacks(
                        "BigQuery Data Viewer (roles/bigquery.dataViewer)", f"the dataset {dataset}", error
                    )
                )
        facts = None
        try:
            facts = self._queries.facts_of(ask.source)
        except NotFound:
            if ask.source.place in places:
                problems.append(f"the table {ask.source.uri} does not exist")
        except PermissionDenied as error:
            problems.append(_lacks("BigQuery Data Viewer (roles/bigquery.dataViewer)", ask.source.uri, error))
        if len({where.lower() for where in places.values()}) > 1:
            said = ", ".join(f"{dataset} is in {where}" for dataset, where in places.items())
            problems.append(
                f"src, staging and dest are in several locations, but a statement runs in one: {said}"
            )
        elif places and (said := self._elsewhere(next(iter(places.values())))):
            problems.append(said)
        refuse(problems)
        assert facts is not None  # noqa: S101 - else there is a problem
        return facts, places[ask.source.place]

    def _unreplaceable(self) -> list[str]:
        """Return the problem if the table that is written exists, and a statement cannot replace it."""
        result = self._ask.result
        try:
            facts = self._queries.facts_of(result)
        except (NotFound, PermissionDenied):  # dry runs name the role that is missing
            return []
        if facts.kind == "TABLE" and not facts.divided:
            return []
        what = facts.kind if facts.kind != "TABLE" else "table with partitions or clusters"
        problem = f"the table that is written, {result.uri}, is a {what}, which BigQuery does not replace"
        return [f"{problem} by a plain table, as each run does: name another table, or drop it"]

    def _elsewhere(self, where: str) -> str:
        """Return the problem if the jobs run in another region than the datasets; empty if there is none."""
        job = self._job_location.lower()
        if job == ANYWHERE or where.lower() == job:
            return ""
        if where.lower() in _MANY_REGIONS:
            log.warning(
                "The datasets are in %s and the jobs run in %s. Google's page on batch jobs asks for one region; if "
                "the job is refused, use datasets in %s.",
                where,
                job,
                job,
            )
            return ""
        return f"the datasets are in {where} and the connection runs jobs in {job}: give it that location or use others"

    def estimate(self, rows: Snapshot, source: TableFacts, location: str) -> None:
        """Let BigQuery check the statements without running them, the one that writes the result included.

        Args:
            rows: the snapshot.
            source: the facts of the table that is read.
            location: where the statements run.

        Raises:
            InputError: a statement is wrong, reads too much, or is not allowed.
        """
        ask, problems = self._ask, self._unreplaceable()
        probe = "AS SELECT 1 AS probe"
        writes = {f"CREATE TABLE IF NOT EXISTS {ask.staging.table('genai_probe')} {probe}": ask.staging}
        writes[rehearsed(ask, InnerQuery(rows.select()), [*source.columns])] = ask.result.place
        try:
            size = self._queries.estimate(rows.select(), location)
        except PermissionDenied as error:
            problems.append(_lacks_job(self._queries, error, f"BigQuery Data Viewer on {ask.source.place}"))
        except (BadRequest, NotFound) as error:
            problems.append(
                f"BigQuery cannot read the rows of {ask.source.uri}{where_of(ask)}: {error.message}"
            )
        else:
            log.info("Reading the rows of %s scans %d bytes.", ask.source.uri, size)
            if ask.max_bytes is not None and size > ask.max_bytes:
                problems.append(
                    f"reading {ask.source.uri} scans {size} bytes, and max_bytes={ask.max_bytes} allows fewer: name "
                    "columns, give where with a condition on the partitions, or raise it"
                )
            for sql, dataset in writes.items():
                try:
                    self._queries.estimate(sql, location)
                except PermissionDenied as error:
                    problems.append(
                        _lacks(
                            "BigQuery Data Editor (roles/bigquery.dataEditor)",
                            f"the dataset {dataset}",
                            error,
                        )
                    )
                except (BadRequest, NotFound) as error:
                    problems.append(f"BigQuery cannot write a table to {dataset}: {error.message}")
        refuse(problems)


@contextmanager
def explained(queries: Queries) -> Iterator[None]:
    """Name what is missing if BigQuery refuses a statement of the block.

    Raises:
        InputError: it refused.
    """
    try:
        yield
    except PermissionDenied as error:
        refuse([_lacks_job(queries, error, "those on the datasets")])
    except (BadRequest, NotFound) as error:
        refuse([f"BigQuery refused a statement: {error.message}"])


def where_of(ask: TableAsk) -> str:
    """Return the condition for rows, for a message."""
    return f" where {ask.where}" if ask.where else ""


def _lacks(role: str, where: str, error: ApiError) -> str:
    return f"the connection's account lacks {role} on {where} ({error.message})"


def _lacks_job(queries: Queries, error: ApiError, other: str) -> str:
    return (
        "the connection's account lacks BigQuery Job User (roles/bigquery.jobUser) in the project "
        f"{queries.project}, or {other} ({error.message})"
    )


def refuse(problems: list[str]) -> None:
    """List all problems in one message.

    Raises:
        InputError: there are some.
    """
    if not problems:
        return
    said = problems[0]
    if len(problems) > 1:
        numbered = "; ".join(f"({number}) {each}" for number, each in enumerate(problems, 1))
        said = f"{len(problems)} things are wrong: {numbered}"
    msg = f"{said[0].upper() + said[1:]}. Nothing was sent, and no model is billed."
    raise InputError(msg)
