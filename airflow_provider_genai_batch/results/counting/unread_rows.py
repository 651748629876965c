"""Counts rows that stay in BigQuery, by the service's counters or by their table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.models import JobCounts, RowStatus
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.job_totals import JobTotals
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.results.counting.causes import as_cause, cause_of
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.wire.answers.answer import PlainRow
from airflow_provider_genai_batch.wire.answers.results import missing_row, read_fields
from airflow_provider_genai_batch.wire.tables.answers import TOKENS


def count_by_service(counter: RowCounter, jobs: Sequence[JobCounts]) -> None:
    """Count rows by the service's counters."""
    done = sum(c.succeeded or 0 for c in jobs)
    failed = sum(c.failed or 0 for c in jobs)
    total = counter.expected if counter.expected is not None else done + failed
    missing = max(0, total - done - failed)
    statuses = {RowStatus.OK: done, RowStatus.ERROR: failed, RowStatus.MISSING: missing}
    counter.take_unread({status.value: number for status, number in statuses.items()}, {}, done + failed)


def count_by_table(counter: RowCounter, table: TableCounts, requests: int) -> None:
    """Count the rows of a table that the service wrote.

    Args:
        counter: to count into.
        table: the table's counts.
        requests: number of requests; those that are not in the table are missing.
    """
    known = table.ok + table.unanswered + sum(number for _, number in table.failures)
    alike = [(_failed(status), number) for status, number in table.failures]
    alike.append((_failed("another cause"), table.total - known))
    alike.append((missing_row(None, None), table.unanswered + max(0, requests - table.total)))
    statuses, causes = Counter({RowStatus.OK.value: table.ok}), Counter[str]()
    for row, number in alike:
        if number > 0:
            statuses[row["status"]] += number
            causes[cause_of(row)] += number
    counter.take_unread(statuses, causes, table.total)


def count_by_result(
    counter: RowCounter,
    lines: Iterable[Mapping[str, Any]],
    shares: Mapping[str, JobTotals],
    unpaid: Iterable[Mapping[str, Any]] = (),
    tiers: Mapping[str, int] | None = None,
) -> None:
    """Count the rows of a table that was written from the answers of all jobs.

    Args:
        counter: to count into.
        lines: numbers of rows (``number``) by ``row_status`` and ``cause``, for the commonest causes; ``alike`` is the
            number of all rows of that status.
        shares: the totals of each job.
        unpaid: numbers of rows that no job was paid for (``reused``, ``same``) by ``row_status``, with their tokens.
        tiers: numbers of rows of immediate calls by tier.
    """
    statuses: dict[str, int] = {}
    causes: Counter[str] = Counter()
    for line in lines:
        status, number = str(line["row_status"]), int(line["number"])
        statuses[status] = int(line["alike"])
        if status == RowStatus.ERROR.value:
            causes[cause_of(_failed(line["cause"]))] += number
        elif status == RowStatus.MISSING.value:
            causes[cause_of(missing_row(None, None))] += number
        elif status != RowStatus.OK.value:
            causes[as_cause(str(line["cause"]))] += number
    came = sum(statuses.values()) - statuses.get(RowStatus.MISSING.value, 0)
    for line in unpaid:
        status, usage = str(line["row_status"]), {kind: int(line[kind] or 0) for kind in TOKENS}
        counter.take_unpaid(status, int(line["reused"]), int(line["same"]), usage)
        if status != RowStatus.MISSING.value:
            came -= int(line["reused"]) + int(line["same"])
    counter.take_unread(statuses, causes, came, shares, tiers)


def _failed(status: Any) -> PlainRow:
    return read_fields({"status": status}, Backend.VERTEX)
