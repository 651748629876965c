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
from airflow_provider_genai_batch.wire.prompts.typed import message, typed
from airflow_provider_genai_batch.wire.spelling import camel, fields_of, free

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
    assert typed(value, "any", "default", Backend.GEMINI) == value


@given(st.binary())
def test_bytes_become_base64(value: bytes) -> None:
    spelled = message({"data": value}, "Blob", "inlineData", Backend.GEMINI)
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
    kinds = {"speaker": "A", "voice_config": {"prebuilt_voice_config": value}}
    assert typed([kinds], "[SpeakerVoiceConfig]", "x", Backend.GEMINI) == [
        {"speaker": "A", "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    ]


@pytest.mark.parametrize("value", ["text", 1, None, ["a"], Voice, object()])
def test_anything_else_has_no_fields(value: Any) -> None:
    assert fields_of(value) is None


def test_names_of_properties_stay_while_their_schemas_are_spelled() -> None:
    schema = {"type": "object", "properties": {"some_name": {"max_items": 1, "type": "array"}}}
    assert message(schema, "Schema", "parameters", Backend.GEMINI) == {
        "type": "OBJECT",
        "properties": {"some_name": {"maxItems": 1, "type": "ARRAY"}},
    }


class Mode(str, enum.Enum):
    """A name as objects of the SDK have it."""

    FAST = "fast"


NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "kind", "spelled"),
    [
        (Mode.FAST, "string", "fast"),
        (Mode.FAST, "enum", "FAST"),
        ("auto", "enum", "AUTO"),
        (b"h\xc3\xa4", "string", "hä"),
        (NOON, "time", "2026-01-01T12:00:00+00:00"),
        ("2026-01-01T12:00:00Z", "time", "2026-01-01T12:00:00Z"),
        ((1, "2"), "[int]", [1, 2]),
        ("0.5", "float", 0.5),
        (2, "float", 2),
        (65000.0, "int", 65000),
        ("7", "int", 7),
        (True, "bool", True),
        ("yes", "bool", True),
        (0, "bool", False),
        (b"\xff\xfe", "bytes", "//4="),
        ("_-8", "bytes", "_-8"),
        ({"a_b": "c"}, "{string}", {"a_b": "c"}),
        ({"a_b": None, "c": [1]}, "{any}", {"a_b": None, "c": [1]}),
    ],
)
def test_values_are_read_as_the_sdk_reads_them(value: Any, kind: str, spelled: Any) -> None:
    found = typed(value, kind, "x", Backend.GEMINI)
    assert found == spelled
    assert type(found) is type(spelled)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("hot", "float", "x is not a number but a string"),
        (True, "float", "x is not a number but true or false"),
        ([0.5], "float", "x is not a number but a list"),
        (float("nan"), "float", "x is nan"),
        ("inf", "float", "x is inf"),
        (1.5, "int", "x is 1.5, not a whole number"),
        (False, "int", "x is not a number but true or false"),
        (2**31, "int", "x is a number of more than 32 bits"),
        (-1e30, "int", "x is a number of more than 32 bits"),
        pytest.param(10**5000, "int", "x is a number of more than 32 bits", id="thousands of digits"),
        ("perhaps", "bool", "x is not true or false but a string"),
        (2, "bool", "x is not true or false but a number"),
        (5, "string", "x is not a string but a number"),
        ({"a": 1}, "string", "x is not a string but an object"),
        (b"\xff", "string", "x is not text but bytes"),
        ("a\ud800", "string", "half of a surrogate pair at character 1"),
        (5, "enum", "x is not a string but a number"),
        ("a!", "bytes", "x is not base64"),
        (5, "bytes", "x is not base64 but a number"),
        ("a", "[string]", "x is not a list but a string"),
        (["a", None], "[string]", r"x\[1\] is not a string but null"),
        ([{"voice_name": 5}], "[PrebuiltVoiceConfig]", r"x\[0\].voiceName is not a string but a number"),
        ("a", "PrebuiltVoiceConfig", "x is not an object but a string"),
        (
            {"voice_nam": "a"},
            "PrebuiltVoiceConfig",
            "unknown field 'voice_nam' in x. Did you mean voiceName?",
        ),
        ({"voice_name": "a", "voiceName": "a"}, "PrebuiltVoiceConfig", "voiceName is given twice"),
        ({1: "x"}, "PrebuiltVoiceConfig", "field names are strings, not int"),
        ({"a": 1}, "{string}", "x is not a dict of strings: a is a number"),
        ("a", "{string}", "x is not a dict of strings but a string"),
        ([1], "{any}", "x is not an object but a list"),
        ({"a": object()}, "{any}", "x holds a object"),
        ({"a": {1, 2}}, "{any}", "x holds a set"),
        ({"a": {1: 2}}, "{any}", "names inside x are strings, not int"),
        ([float("nan")], "any", "x is nan"),
    ],
)
def test_values_of_another_kind_are_refused(value: Any, kind: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        typed(value, kind, "x", Backend.GEMINI)


def test_the_options_of_pictures_have_vertex_ais_names() -> None:
    given = {"output_mime_type": "image/jpeg", "output_compression_quality": 75, "image_size": "1K"}
    assert message(given, "ImageConfig", "imageConfig", Backend.VERTEX) == {
        "imageSize": "1K",
        "imageOutputOptions": {"mimeType": "image/jpeg", "compressionQuality": 75},
    }
