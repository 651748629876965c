"""Locations: a job runs where its datasets are, and can only be found there.

Source: BigQuery's "Dataset locations". Simplified: a job that names no location and no dataset runs in ``US``; jobs
of an earlier process and loads that come with their file are found anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlglot
from sqlglot import exp

_FOUND_WITHOUT = ("US", "EU")
"""Locations in which a job is found by its id alone."""


class Places:
    """The locations in which jobs ran."""

    def __init__(self, catalog: Any) -> None:
        """Begin without jobs.

        Args:
            catalog: bqemulator's catalog.
        """
        self._catalog = catalog
        self._jobs: dict[tuple[str, str], str] = {}

    def choose(self, project: str, body: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return where a job runs, and what cannot be found there.

        Args:
            project: The project of the request.
            body: The body of ``jobs.insert`` or ``jobs.query``.

        Returns:
            The location; the message of a 404, or None.
        """
        asked = (body.get("jobReference") or {}).get("location") or body.get("location")
        datasets = [(ref, found) for ref in _datasets(project, body) if (found := self._of_dataset(ref))]
        where = asked or next((found for _, found in datasets), "US")
        for (owner, name), found in datasets:
            if found.lower() != where.lower():
                return where, f"Not found: Dataset {owner}:{name} was not found in location {where}"
        return where, None

    def note(self, project: str, reference: dict[str, Any], where: str) -> None:
        """Remember where a job ran, and set it in the job's reference."""
        reference["location"] = where
        self._jobs[project, reference.get("jobId", "")] = where

    def tell(self, project: str, job_id: str, reference: dict[str, Any]) -> None:
        """Set in a job's reference where the job ran, if that is known."""
        if where := self._jobs.get((project, job_id)):
            reference["location"] = where

    def missing(self, project: str, job_id: str, asked: str | None) -> str | None:
        """Return the message of a 404 if a job is looked up in another location than the one in which it ran."""
        where = self._jobs.get((project, job_id))
        if where is None or (asked or "").lower() == where.lower() or (not asked and where in _FOUND_WITHOUT):
            return None
        return f"Not found: Job {project}:{asked or 'US'}.{job_id}"

    def _of_dataset(self, ref: tuple[str, str]) -> str | None:
        dataset = self._catalog.get_dataset(*ref)
        return None if dataset is None else str(dataset.location)


def _datasets(project: str, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    configuration = body.get("configuration") or {"query": body}
    for kind in ("query", "load", "copy"):
        part = configuration.get(kind)
        if not isinstance(part, dict):
            continue
        named = [part.get("destinationTable"), part.get("sourceTable"), part.get("defaultDataset")]
        for table in [*named, *(part.get("sourceTables") or ())]:
            if table and table.get("datasetId"):
                yield table.get("projectId") or project, table["datasetId"]
        if kind == "query":
            yield from _of_statement(project, str(part.get("query") or ""))


def _of_statement(project: str, sql: str) -> Iterator[tuple[str, str]]:
    try:
        trees = sqlglot.parse(sql, read="bigquery")
    except sqlglot.errors.ParseError:
        return
    for tree in trees:
        for table in tree.find_all(exp.Table) if tree is not None else ():
            if table.db:
                yield table.catalog or project, table.db
