"""The usage ledger of an attempt: whatever it cannot know, the rows have landed."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.task.landing.usage_ledger import UsageLedger
from airflow_provider_genai_batch.wire.answers.results import read_fields

NAME = "batches/a"


def tally_of(tokens: int) -> RowCounter:
    """Count one row, with so many tokens."""
    response = {
        "candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": tokens, "totalTokenCount": tokens},
    }
    tally = RowCounter(expected=1)
    tally.begin_job(NAME)
    tally.take(read_fields({"key": "a", "response": response}, Backend.GEMINI))
    return tally


@pytest.mark.parametrize(("tokens", "cost"), [(10**6, 0.15), (10**30, None)])
def test_tokens_that_nobody_can_pay_are_without_cost(
    tokens: int, cost: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = UsageLedger()
    ledger.add_job(BatchJob(name=NAME, backend=Backend.GEMINI, model="gemini-2.5-flash"))
    tally = ledger.add_rows(tally_of(tokens))
    assert (tally.counts.ok, ledger.cost and ledger.cost.usd) == (1, cost)
    assert ("The cost is not known" in caplog.text) is (cost is None)


@pytest.mark.parametrize(
    ("model", "tokens", "reason"),
    [
        (
            "gemini-of-tomorrow",
            5,
            "the price list has no price for gemini-of-tomorrow; a newer genai-prices may have it; see Google's bill",
        ),
        ("gemini-2.5-flash", 0, "no row has token counts; see Google's bill"),
    ],
)
def test_a_cost_that_is_not_known_has_its_reason_in_the_log(
    model: str, tokens: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ledger = UsageLedger()
    ledger.add_job(BatchJob(name=NAME, backend=Backend.GEMINI, model=model))
    ledger.add_rows(tally_of(tokens))
    assert f"Cost: not known ({reason})." in caplog.text
