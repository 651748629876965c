"""Counts what a job wrote to a BigQuery table, with one aggregate query.

Source: Google's "Batch inference with Gemini" for the columns; BigQuery bills a query by the columns that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.wire.tables.sql import NO_RESPONSE

_TABLE = re.compile(r"(?:bq://)?([^`\\]+)\.([^`\\.]+)\.([^`\\.]+)")
_LONGEST_STATUS = 2000
"""The leading characters of a ``status`` that identify its cause; the rest is about a single row."""
_MOST_CAUSES = 1000


def count_rows(table: str, *, early: bool, family: Family = Family.GOOGLE) -> str:
    """Return the query: one line for each text of ``status``, the good rows first, each with the number of all rows.

    Args:
        table: ``bq://project.dataset.table``.
        early: the job may have ended before it processed all rows. Unprocessed rows have no status either, so the
            query also reads the column ``response``.
        family: the family of the job's model. A Claude job that reached its limit of 24 hours looks like any other,
            and tables of open models have no ``status``: for both, the query reads the column ``response``.

    Raises:
        UnreadableAnswer: the service returned no valid table name.
    """
    found = _TABLE.fullmatch(table)
    if found is None:
        msg = f"{table} is no bq://project.dataset.table"
        raise UnreadableAnswer(msg)
    name = ".".join(f"`{part}`" for part in found.groups())
    early = early or family is not Family.GOOGLE
    answered = f"IFNULL(TO_JSON_STRING(response), 'null') NOT IN {NO_RESPONSE}" if early else "TRUE"
    status = "IFNULL(status, '')" if family is not Family.OPENAI else "''"
    return (
        "SELECT reason, answered, COUNT(*) AS number, SUM(COUNT(*)) OVER () AS total FROM ("  # noqa: S608 - no user's text
        f"SELECT SUBSTR(TRIM({status}), 1, {_LONGEST_STATUS}) AS reason, {answered} AS answered FROM {name}"
        ") GROUP BY reason, answered ORDER BY IF(reason = '', 0, 1), number DESC "
        f"LIMIT {_MOST_CAUSES}"
    )


def read_counts(lines: Iterable[Mapping[str, Any]]) -> TableCounts:
    """Read the answer to `count_rows`; an empty table gives no lines."""
    total = ok = unanswered = 0
    failures: list[tuple[str, int]] = []
    for line in lines:
        number, total = int(line["number"]), int(line["total"])
        if line["reason"]:
            failures.append((str(line["reason"]), number))
        elif line["answered"]:
            ok += number
        else:
            unanswered += number
    return TableCounts(total=total, ok=ok, unanswered=unanswered, failures=tuple(_joined(failures)))


def _joined(failures: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    """Add up causes that occur both with and without a response."""
    numbers: dict[str, int] = {}
    for reason, number in failures:
        numbers[reason] = numbers.get(reason, 0) + number
    return numbers.items()
