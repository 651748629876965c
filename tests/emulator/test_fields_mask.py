"""The ``fields`` parameter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.emulator.calls.fields_mask import masked
from airflow_provider_genai_batch.emulator.errors import ApiError

VALUE = {
    "name": "n",
    "metadata": {"state": "S", "batchStats": {"requestCount": "3", "failedRequestCount": "1"}},
    "rows": [{"a": 1, "b": {"c": 2}}, {"a": 3}],
}


@pytest.mark.parametrize(
    ("mask", "shown"),
    [
        ("name", {"name": "n"}),
        ("*", VALUE),
        ("metadata", {"metadata": VALUE["metadata"]}),
        ("metadata/state,name", {"name": "n", "metadata": {"state": "S"}}),
        (
            "metadata(state,batchStats/requestCount)",
            {"metadata": {"state": "S", "batchStats": {"requestCount": "3"}}},
        ),
        ("metadata(batchStats(requestCount))", {"metadata": {"batchStats": {"requestCount": "3"}}}),
        ("metadata/*/failedRequestCount", {"metadata": {"batchStats": {"failedRequestCount": "1"}}}),
        (
            "metadata/state,metadata/batchStats/requestCount",
            {"metadata": {"state": "S", "batchStats": {"requestCount": "3"}}},
        ),
        ("metadata,metadata/state", {"metadata": VALUE["metadata"]}),
        ("metadata/state,metadata", {"metadata": VALUE["metadata"]}),
        ("metadata/batch_stats/request_count", {"metadata": {"batchStats": {"requestCount": "3"}}}),
        ("rows/a", {"rows": [{"a": 1}, {"a": 3}]}),
        ("rows(b/c)", {"rows": [{"b": {"c": 2}}, {}]}),
        (" name , metadata / state ", {"name": "n", "metadata": {"state": "S"}}),
        ("absent", {}),
    ],
)
def test_a_mask_selects(mask: str, shown: dict[str, Any]):
    assert masked(VALUE, mask) == shown


@pytest.mark.parametrize("mask", ["", ",", "a,", "a(", "a(b", "a)", "a/", "/a", "a b", "a(b)c", "a()", "a;b"])
def test_a_mask_that_cannot_be_read_is_refused(mask: str):
    with pytest.raises(ApiError) as caught:
        masked(VALUE, mask)
    assert caught.value.code == 400


def test_a_mask_naming_no_field_of_the_message_is_refused():
    with pytest.raises(ApiError, match="state"):
        masked(VALUE, "state", {"name", "metadata"})
    assert masked(VALUE, "name", {"name", "metadata"}) == {"name": "n"}


@given(
    st.recursive(
        st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1), max_leaves=8
    )
)
def test_a_mask_of_every_path_selects_everything(value: Any):
    whole = {"root": value}
    assert masked(whole, ",".join(paths(whole))) == whole


def paths(value: Any, prefix: str = "") -> list[str]:
    if not isinstance(value, dict):
        return [prefix]
    return [path for name, inner in value.items() for path in paths(inner, f"{prefix}/{name}".lstrip("/"))]
