"""Checks files that come with a load job for unknown columns, which bqemulator 1.4.0 would drop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bqemulator.domain.errors import InvalidQueryError


def refuse_unknown_columns(project: str, load: Mapping[str, Any], path: str, catalog: Any) -> None:
    """Refuse lines of JSON with a column that neither the job's schema nor the table has.

    Args:
        project: The project of the request.
        load: The job's ``configuration.load``.
        path: The file.
        catalog: bqemulator's catalog.

    Raises:
        InvalidQueryError: A line has such a column.
    """
    if load.get("sourceFormat") != "NEWLINE_DELIMITED_JSON":
        return
    if load.get("autodetect") or load.get("ignoreUnknownValues"):
        return
    columns = _columns(project, load, catalog)
    if columns is None:
        return
    with Path(path).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row = json.loads(line) if line.strip() else {}
            for name in row:
                if name.lower() not in columns:
                    message = f"Error while reading data, error message: row {number}: No such field: {name}."
                    raise InvalidQueryError(message)


def _columns(project: str, load: Mapping[str, Any], catalog: Any) -> set[str] | None:
    """Return the names of the known columns; None if there is neither a schema nor a table."""
    if fields := (load.get("schema") or {}).get("fields"):
        return {field["name"].lower() for field in fields}
    target = load.get("destinationTable") or {}
    ref = (target.get("projectId") or project, target.get("datasetId"), target.get("tableId"))
    table = catalog.get_table(*ref) if all(ref) else None
    return None if table is None else {field.name.lower() for field in table.schema_.fields}
