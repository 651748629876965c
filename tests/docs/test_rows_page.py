"""The page on rows, laid beside what reads and writes them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_genai_batch.models import Part, ResultRow
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.row import ROW_SCHEMA
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.gemini import FINISH, LEFT_OUT
from airflow_provider_genai_batch.wire.answers.results import read_fields
from tests.docs.pages import Page

PAGE = Page("docs/reference/rows.md")


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]*)`", text)


def reasons() -> dict[str, str]:
    """Return what the page says of each reason."""
    told = {}
    for reason, verdict in PAGE.table("## Finish reasons", "Reason"):
        for name in codes(reason):
            told[name] = codes(verdict)[0]
    return told


def test_every_finish_reason_is_told_with_what_becomes_of_its_row() -> None:
    assert reasons().keys() == FINISH.keys()
    for reason, verdict in reasons().items():
        candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": reason}
        row = read_fields({"key": "a", "response": {"candidates": [candidate]}}, Backend.GEMINI)
        assert row["status"] == verdict, reason


def test_every_member_of_a_part_is_told() -> None:
    told = {name for row in PAGE.table("## Parts", "Member") for name in codes(row[0])}
    assert told == Part.model_fields.keys() - {"candidate", "part"}


def test_the_version_of_rows_is_told() -> None:
    (version,) = (row[1] for row in PAGE.table("## Manifest", "Field") if "row_schema" in row[0])
    assert version.endswith(f": {ROW_SCHEMA}")


@pytest.mark.parametrize(
    "kind", ["safetyRatings", "avgLogprobs", "responseId", "usageMetadata.promptTokensDetails"]
)
def test_members_that_the_page_calls_left_out_are(kind: str) -> None:
    assert kind in LEFT_OUT
    assert kind in PAGE.section("## What is in no row")


def test_a_row_of_nothing_more_has_nine_fields_and_all_others_are_left_out() -> None:
    plain: dict[str, Any] = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}
    row = read_fields({"key": "a", "response": plain}, Backend.GEMINI, Reading())
    assert [*row] == [*ResultRow.model_fields][:9]
