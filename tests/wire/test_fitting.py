"""Earlier answers are judged in SQL as the type of today has them."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.wire.tables.fitting import fits_still
from airflow_provider_genai_batch.wire.tables.types import columns_of
from tests.emulator.test_bigquery import client_of


class Item(BaseModel):
    size: Literal["s", "m"]
    mood: Literal["good", "bad"]


class Order(BaseModel):
    items: list[Item]


@pytest.mark.parametrize(
    ("items", "fits"),
    [
        ([], True),
        ([("s", "good"), ("m", "bad")], True),
        ([("s", "good"), ("x", "bad")], False),
        ([("s", "good"), ("m", "x")], False),
        ([("x", "x")], False),
    ],
)
def test_each_member_of_each_item_has_to_fit(vertex: Emulator, items: list[Any], fits: bool) -> None:
    (column,) = columns_of(Order)
    kind = "STRUCT<size STRING, mood STRING>"
    rows = ", ".join(f"{kind}({json.dumps(size)}, {json.dumps(mood)})" for size, mood in items)
    value = f"ARRAY<{kind}>[{rows}]"
    with closing(client_of(vertex.bigquery)) as google:
        (row,) = google.query(
            f"SELECT {fits_still(column, 'items')} AS fits FROM (SELECT {value} AS items)"
        ).result()
    assert row["fits"] is fits
