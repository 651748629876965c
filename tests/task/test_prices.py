"""What tokens cost by the price list."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime, timezone
from decimal import Decimal
from io import BytesIO

import pytest

from airflow_provider_genai_batch.exceptions import CostLimitExceeded
from airflow_provider_genai_batch.models import BatchJob, BatchSource, Usage
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.jobs.job_totals import JobTotals
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.requests.token_estimate import TokenEstimate
from airflow_provider_genai_batch.task.cost import prices
from airflow_provider_genai_batch.task.cost.limit import CostLimit
from airflow_provider_genai_batch.task.cost.prices import Rates, cost_of, is_installed, price_of
from airflow_provider_genai_batch.task.inputs.prepared import PreparedInput
from airflow_provider_genai_batch.wire.catalog.limits import Limits

LISTED = datetime(2026, 11, 1, tzinfo=timezone.utc)
"""When the list had prices for batch jobs of the models below."""
BEFORE = datetime(2026, 1, 1, tzinfo=timezone.utc)


def job(name: str, model: str, created: datetime = LISTED) -> BatchJob:
    return BatchJob(name=name, backend=Backend.GEMINI, model=model, create_time=created)


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3.5-flash"])
def test_flex_costs_what_a_batch_does_and_standard_twice_as_much(model: str) -> None:
    batch, flex, standard = (price_of(model, LISTED, tier) for tier in (None, Tier.FLEX, Tier.STANDARD))
    assert batch
    assert flex
    assert standard
    assert (flex.short, flex.basis, standard.basis) == (batch.short, "flex", "standard")
    assert standard.short.output == 2 * batch.short.output
    assert price_of("llama-4-scout-17b-16e-instruct-maas", LISTED, Tier.STANDARD) is None


def share(usage: Usage, long: Usage | None = None) -> JobTotals:
    return JobTotals({}, usage, long or Usage())


@pytest.mark.parametrize(
    "model",
    [
        "gemini-2.5-flash",
        "models/gemini-2.5-flash",
        "publishers/google/models/gemini-2.5-flash",
        "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash",
        "google/gemini-2.5-flash",
    ],
)
def test_a_model_is_found_however_a_service_spells_it(model: str) -> None:
    price = price_of(model, LISTED)
    assert price is not None
    assert (price.model, price.short) == (
        "gemini-2.5-flash",
        Rates(Decimal("0.15"), Decimal("0.03"), Decimal("1.25")),
    )


@pytest.mark.parametrize(
    "model",
    [
        None,
        "",
        "gemini-9",
        "tunedModels/gemini-2.5-flash",
        "projects/p/locations/l/models/123",
        "projects/p/locations/l/models/gemini-2.5-flash",
        "mistralai/gemini-2.5-flash",
        "publishers/google/models/text-embedding-005",
    ],
)
def test_a_model_that_is_not_in_the_list_has_no_price(model: str | None) -> None:
    assert price_of(model, LISTED) is None


def test_claude_has_the_prices_of_its_publishers_batches_and_a_tenth_that_regions_may_add() -> None:
    price = price_of("publishers/anthropic/models/claude-sonnet-4-6", LISTED)
    assert price is not None
    assert (price.basis, price.margin) == ("batch", Decimal("0.1"))
    assert price.short == Rates(Decimal("1.5"), Decimal("0.15"), Decimal("7.5"))
    assert price_of("anthropic/claude-sonnet-4-6", LISTED) == price
    assert price_of("claude-sonnet-4-6", LISTED) == price
    dated = price_of("publishers/anthropic/models/claude-haiku-4-5@20251001", LISTED)
    assert dated is not None
    assert (dated.short.input, dated.short.output) == (Decimal("0.5"), Decimal("2.5"))
    asked = price.cost(share(Usage(input=1_000_000, cached=400_000, output=100_000, total=1_100_000)))
    assert asked == Decimal("0.9") + Decimal("0.06") + Decimal("0.75")


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("publishers/openai/models/gpt-oss-120b-maas", "0.063"),
        ("publishers/meta/models/llama-4-scout-17b-16e-instruct-maas", "0.16"),
    ],
)
def test_open_models_have_googles_prices_which_are_not_those_of_other_services(model: str, cost: str) -> None:
    price = price_of(model, LISTED)
    assert price is not None
    assert price.basis == "batch"
    assert "litellm" in price.source
    assert price.cost(share(Usage(input=1_000_000, output=100_000, total=1_100_000))) == Decimal(cost)


def test_open_models_that_do_not_run_in_batches_have_no_price() -> None:
    assert price_of("publishers/openai/models/gpt-oss-20b-maas", LISTED) is None


def test_the_most_that_requests_of_claude_may_cost_has_the_tenth_in_it() -> None:
    price = price_of("publishers/anthropic/models/claude-sonnet-4-6", LISTED)
    assert price is not None
    body = {"messages": [{"role": "user", "content": "x" * 4_000}], "max_tokens": 1000, "system": "y" * 4_000}
    weight = TokenEstimate().add(
        [{"custom_id": "a", "request": body}, {"custom_id": "b", "body": {**body, "n": 2}}]
    )
    assert (weight.input, weight.output, weight.unbounded) == (4000, 3000, 0)
    lines = BytesIO(
        b"".join(json.dumps({"custom_id": "a", "request": body}).encode() + b"\n" for _ in range(2))
    )
    with ExitStack() as stack:
        prepared = PreparedInput(
            content="",
            requests=2,
            limits=Limits(None, None, ""),
            backend=Backend.VERTEX,
            stack=stack,
            source=BatchSource(path="in.jsonl"),
            lines=lines,
        )
        with pytest.raises(CostLimitExceeded, match="10 % more") as caught:
            CostLimit(1e-6, price, Task.GENERATE, "max_tokens").check(prepared, 0)
    assert caught.value.expected == pytest.approx((4000 * 1.5 + 2000 * 7.5) * 1.1 / 1e6)
    assert "maxOutputTokens" not in str(caught.value)


def test_it_is_told_whether_the_list_has_prices_for_batch_jobs_or_half_is_taken() -> None:
    now, then = price_of("gemini-2.5-flash", LISTED), price_of("gemini-2.5-flash", BEFORE)
    assert now is not None
    assert then is not None
    assert (now.basis, then.basis) == ("batch", "half of standard")
    assert then.short == now.short


def test_what_comes_from_a_cache_is_not_discounted_twice() -> None:
    rates = Rates(Decimal("0.3"), Decimal("0.03"), Decimal("2.5"))
    assert rates.half == Rates(Decimal("0.15"), Decimal("0.03"), Decimal("1.25"))
    assert rates._replace(cached=rates.input).half.cached == Decimal("0.15")


def test_thoughts_are_output_cached_is_part_of_input_and_what_tools_put_in_is_input() -> None:
    rates = Rates(Decimal(10), Decimal(1), Decimal(100))
    usage = Usage(input=1000, cached=400, output=50, thoughts=30, total=1200)  # tools: 120
    told = Usage(input=1000, cached=400, output=50, thoughts=30, total=1000, tool_use=120)
    for one in (usage, told):
        assert rates.cost(one) * 1_000_000 == (600 + 120) * 10 + 400 * 1 + 80 * 100


def test_long_prompts_have_their_own_price_and_many_short_ones_do_not() -> None:
    many = share(Usage(input=5_000_000, output=1_000_000, total=6_000_000))
    long = Usage(input=1_000_000, output=1_000_000, total=2_000_000)
    cost = cost_of([(job("short", "gemini-2.5-pro"), many)])
    more = cost_of([(job("long", "gemini-2.5-pro"), share(long, long))])
    assert cost is not None
    assert more is not None
    assert cost.usd == pytest.approx(5 * 0.625 + 5.0)
    assert more.usd == pytest.approx(1.25 + 7.5)


def test_jobs_of_one_model_are_one_part_of_the_cost() -> None:
    usage = Usage(input=1_000_000, total=1_000_000)
    jobs = [(job(name, "gemini-2.5-flash"), share(usage)) for name in "ab"]
    cost = cost_of([*jobs, (job("c", "gemini-2.5-pro"), share(usage))])
    assert cost is not None
    assert {part.model: part.usd for part in cost.models} == pytest.approx(
        {"gemini-2.5-flash": 0.3, "gemini-2.5-pro": 0.625}
    )
    assert cost.usd == pytest.approx(0.925)


def test_a_cost_of_which_a_part_is_not_known_is_not_known() -> None:
    usage = Usage(input=1_000_000, total=1_000_000)
    jobs = [
        (job(name, model), share(usage)) for name, model in (("a", "gemini-2.5-flash"), ("b", "gemini-9"))
    ]
    assert cost_of(jobs) is None


def test_jobs_that_told_no_tokens_have_no_cost() -> None:
    assert cost_of([(job("a", "gemini-2.5-flash"), share(Usage()))]) is None


def test_a_list_from_before_there_were_prices_for_batch_jobs_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed()
    monkeypatch.setattr(prices, "version", lambda _: "0.1.12")
    assert not is_installed()
    assert price_of("gemini-2.5-flash") is None
