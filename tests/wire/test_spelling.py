from __future__ import annotations

import base64
import enum
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.spelling import camel, fields_of, free, plain

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


class Duck:
    """Has the manners of a model of another package."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def model_dump(self, *, exclude_none: bool) -> dict[str, Any]:
        assert exclude_none
        return {name: value for name, value in self.fields.items() if value is not None}


class Voice(BaseModel):
    voice_name: str | None = None
    speed_rate: float | None = None


@given(JSON)
def test_the_users_own_data_is_left_as_it_is(value: Any) -> None:
    assert free(value, "args") == value
    assert plain(value, "labels", Backend.GEMINI) == value


@given(st.binary())
def test_bytes_become_base64(value: bytes) -> None:
    spelled = plain({"data": value}, "inlineData", Backend.GEMINI)
    assert base64.b64decode(spelled["data"], validate=True) == value


@given(st.from_regex(r"[a-z]+(_[a-z0-9]+)*", fullmatch=True))
def test_spelling_twice_is_spelling_once(name: str) -> None:
    assert camel(camel(name)) == camel(name)
    assert "_" not in camel(name)


@pytest.mark.parametrize(
    "value",
    [
        {"voice_name": "Kore", "speed_rate": None},
        {"voiceName": "Kore"},
        Voice(voice_name="Kore"),
        Duck(voice_name="Kore", speed_rate=None),
    ],
)
def test_dicts_in_either_casing_and_objects_are_read_alike(value: Any) -> None:
    assert fields_of(value) == {"voiceName": "Kore"}
    assert plain({"a_b": [value]}, "x", Backend.GEMINI) == {"aB": [{"voiceName": "Kore"}]}


@pytest.mark.parametrize("value", ["text", 1, None, ["a"], Voice, object()])
def test_anything_else_has_no_fields(value: Any) -> None:
    assert fields_of(value) is None


def test_names_of_properties_stay_while_their_schemas_are_spelled() -> None:
    schema = {"type": "object", "properties": {"some_name": {"max_items": 1, "type": "array"}}}
    assert plain(schema, "parameters", Backend.GEMINI) == {
        "type": "OBJECT",
        "properties": {"some_name": {"maxItems": 1, "type": "ARRAY"}},
    }


def test_leaves_become_what_json_has_words_for() -> None:
    class Mode(str, enum.Enum):
        FAST = "fast"

    noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    value = {"x": Mode.FAST, "t": noon, "n": (1, 2), "mode": "auto"}
    assert plain(value, "y", Backend.GEMINI) == {
        "x": "fast",
        "t": "2026-01-01T12:00:00+00:00",
        "n": [1, 2],
        "mode": "AUTO",
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"top_p": float("nan")}, "topP is nan"),
        ({"top_p": float("inf")}, "topP is inf"),
        ({"x": object()}, "x holds a object"),
        ({"x": {1, 2}}, "x holds a set"),
        ({1: "x"}, "field names are strings, not int"),
        ({"a_b": 1, "aB": 2}, "aB is given twice"),
        ({"args": {1: 2}}, "names inside args are strings, not int"),
        ({"args": [float("nan")]}, "args is nan"),
        ({"x": "\ud800"}, "half of a surrogate pair at character 0"),
    ],
)
def test_what_json_has_no_word_for_is_refused(value: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        plain(value, "x", Backend.GEMINI)
