"""The one query that counts a table's rows, and its answer."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.wire.services.bigquery import count_rows, read_counts


def test_only_the_column_status_is_read_of_a_job_that_came_to_its_end() -> None:
    assert "response" not in count_rows("bq://p.d.t", early=False)
    assert "response" in count_rows("bq://p.d.t", early=True)


@pytest.mark.parametrize(
    ("table", "quoted"),
    [
        ("bq://p.d.t", "`p`.`d`.`t`"),
        ("my-project.reviews.2026-01-02", "`my-project`.`reviews`.`2026-01-02`"),
        ("bq://example.com:old.d.t", "`example.com:old`.`d`.`t`"),
    ],
)
def test_names_are_quoted_part_by_part(table: str, quoted: str) -> None:
    assert f"FROM {quoted})" in count_rows(table, early=False)


@pytest.mark.parametrize("table", ["", "bq://p", "bq://p.d", "bq://p.d.t` WHERE `x", "bq://p.d.t\\"])
def test_what_names_no_table_is_not_asked(table: str) -> None:
    with pytest.raises(UnreadableAnswer, match=r"no bq://project\.dataset\.table"):
        count_rows(table, early=False)


def test_an_empty_table_has_no_rows() -> None:
    assert read_counts([]) == TableCounts()


def test_rows_are_counted_by_status_and_those_without_a_response_apart() -> None:
    lines = [
        {"reason": "", "answered": True, "number": 7, "total": 12},
        {"reason": "", "answered": False, "number": 1, "total": 12},
        {"reason": "no luck", "answered": False, "number": 2, "total": 12},
        {"reason": "no luck", "answered": True, "number": 1, "total": 12},
    ]
    counts = read_counts(lines)
    assert counts == TableCounts(total=12, ok=7, unanswered=1, failures=(("no luck", 3),))
    assert counts.failed == 5
