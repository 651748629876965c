"""The straight way to a request and the long way are one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.lines.fast_requests import usual_request
from airflow_provider_genai_batch.wire.lines.request import WireRequest, rest_request
from airflow_provider_genai_batch.wire.prompts.config import merged, request_fields

MODEL = "gemini-2.5-flash"
ODD = st.none() | st.integers() | st.just([]) | st.just({})
TEXTS = st.text(max_size=3) | st.just("half \ud800")
PARTS = st.fixed_dictionaries({"text": TEXTS | ODD}, optional={"thought": ODD})
TURNS = st.fixed_dictionaries(
    {"parts": st.lists(PARTS | TEXTS, max_size=2) | ODD},
    optional={"role": st.sampled_from(["user", "model", "USER", None]), "text": TEXTS},
)
CONTENTS = TEXTS | st.lists(TURNS | TEXTS, max_size=2) | TURNS | ODD
BESIDE = {"key": TEXTS | ODD, "model": st.just(MODEL), "config": st.just({"temperature": 0})}
BARE = st.fixed_dictionaries({"contents": CONTENTS}, optional=BESIDE)
ITEMS = CONTENTS | BARE | st.fixed_dictionaries({"request": BARE | ODD}, optional={"key": TEXTS | ODD})
DEFAULTS = st.none() | st.just({"temperature": 0.5, "system_instruction": "Be short."})


@given(ITEMS, DEFAULTS, st.sampled_from(list(Backend)))
def test_the_straight_way_and_the_long_way_are_one(item: Any, defaults: Any, backend: Backend) -> None:
    fields = merged(request_fields(defaults, backend), {}) if defaults else {}
    straight = usual_request(item, fields)
    if straight is None:
        return
    long = rest_request(item, backend=backend, task=Task.GENERATE, model=MODEL, defaults=defaults)
    assert straight == long
    assert repr(straight) == repr(long), "another order"


@pytest.mark.parametrize(
    "item",
    [
        "Hi",
        {"contents": "Hi"},
        {"key": "a", "contents": [{"parts": [{"text": "Hi"}, {"text": "ü"}]}]},
        {"request": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}, "key": "a"},
    ],
)
def test_turns_of_text_go_the_straight_way(item: Any) -> None:
    assert isinstance(usual_request(item, {}), WireRequest)


@pytest.mark.parametrize("key", ["", "x" * 513, 7, "half \ud800"])
def test_a_key_that_is_none_is_refused_on_the_long_way(key: Any) -> None:
    item = {"key": key, "contents": "Hi"}
    assert usual_request(item, {}) is None
    with pytest.raises(RequestError):
        rest_request(item, backend=Backend.GEMINI, task=Task.GENERATE, model=MODEL)
