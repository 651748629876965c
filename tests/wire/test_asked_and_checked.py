"""What is asked for by a type is what its check takes, for any type and any answer."""
# ruff: noqa: UP007, UP045 - what a union is made of is known only here

from __future__ import annotations

import enum
import json
import os
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from msgspec import Raw
from pydantic import ConfigDict, Field, ValidationError, create_model
from pydantic_core import from_json, to_json

from airflow_provider_genai_batch.exceptions import InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.prompts.config import request_fields
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check, ask_for
from airflow_provider_genai_batch.wire.services.http import json_body
from tests.wire.output_types import ANY, Drawn, output_types
from tests.wire.service_schemas import answers, refusals

TYPES = int(os.environ.get("GENAI_BATCH_TEST_TYPES", "700"))
"""How many types are drawn; more of them with the environment variable."""
SEED = os.environ.get("GENAI_BATCH_TEST_SEED")
"""Draws other types than the usual ones."""


def asked(output_type: Any, backend: Backend) -> dict[str, Any]:
    """Return the schema that goes to the service, as it is read there."""
    fields = request_fields(ask_for(output_type, None), backend)
    schema: dict[str, Any] = json.loads(json_body(fields))["generationConfig"]["responseSchema"]
    return schema


def rejected(check: Callable[[str], Any], text: str) -> set[str] | None:
    """Return Pydantic's names of what an answer is rejected for; None: it is taken."""
    try:
        check(text)
    except ValueError as error:
        cause = error.__cause__
        return {one["type"] for one in cause.errors()} if isinstance(cause, ValidationError) else {str(error)}
    return None


def written(check: Callable[[str], Any], text: str) -> Any:
    """Return the JSON of what a check makes of an answer; None: it is rejected."""
    try:
        found = check(text)
    except ValueError:
        return None
    return [from_json(bytes(found) if isinstance(found, Raw) else to_json(found, inf_nan_mode="null"))]


def seeded(test: Any) -> Any:
    """Let a test draw by the seed that was asked for."""
    return test if SEED is None else seed(int(SEED))(test)


@seeded
@settings(
    max_examples=TYPES,
    derandomize=SEED is None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(drawn=output_types(), backend=st.sampled_from(Backend), data=st.data())
def test_an_answer_that_follows_the_schema_sent_is_what_its_check_takes(
    drawn: Drawn, backend: Backend, data: st.DataObject
) -> None:
    if drawn.free_keys and backend is Backend.GEMINI:
        with pytest.raises(RequestError, match="additionalProperties"):
            asked(drawn.type, backend)
        return
    schema = asked(drawn.type, backend)
    assert refusals(schema, backend) == []
    check = answer_check(drawn.type)
    for _ in range(2):
        text = json.dumps(data.draw(answers(schema)))
        found = rejected(check, text)
        assert found is None or ANY in drawn.unsaid or found & drawn.unsaid, f"{text} of {schema}: {found}"
        at = data.draw(st.integers(0, len(text)))
        odd = (
            text[:at]
            + data.draw(st.sampled_from(['"', "1", "e5", "null", " ", ',"a":1', "\\ud800"]))
            + text[at:]
        )
        for one in (text, odd):
            assert written(check.spelled, one) == written(check, one), f"{one} of {drawn.type}"


@seeded
@settings(max_examples=TYPES // 20, derandomize=SEED is None, database=None, deadline=None)
@given(drawn=output_types(), backend=st.sampled_from(Backend))
def test_what_a_function_takes_is_said_by_the_same_rules(drawn: Drawn, backend: Backend) -> None:
    taken = create_model("Taken", argument=(drawn.type, ...))
    if drawn.free_keys and backend is Backend.GEMINI:
        with pytest.raises(RequestError):
            declared(taken, backend)
    elif not drawn.unsaid:
        assert refusals(declared(taken, backend), backend, "parameters") == []


def declared(taken: Any, backend: Backend) -> dict[str, Any]:
    """Return the schema of what a function takes, as it is read at the service."""
    function = {"name": "act", "parameters": taken}
    fields = request_fields({"tools": [{"function_declarations": [function]}]}, backend)
    schema: dict[str, Any] = json.loads(json_body(fields))["tools"][0]["functionDeclarations"][0][
        "parameters"
    ]
    return schema


class Mark(enum.IntEnum):
    """Members that are numbers themselves."""

    SEVEN = 7


class Grade(enum.Enum):
    """Members that are only members."""

    A = "a"


@pytest.mark.parametrize("alias", [None, "type"])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "tags",
    [("1", 2), (1, "2"), ("1", 1), (True, False), ("true", True), (True, "x"), (Mark.SEVEN, "8")],
    ids=str,
)
def test_an_answer_is_read_by_its_tag_whatever_kinds_the_tags_are_of(
    tags: tuple[Any, ...], alias: str | None, strict: bool
) -> None:
    value = Union[int, Optional[Literal["good"]]]  # null fits by what is inside it
    branches = [
        create_model(
            f"Branch{number}",
            __config__=ConfigDict(strict=strict),
            kind=(Literal[tag], Field(alias=alias)),
            value=(value, ...),
        )
        for number, tag in enumerate(tags)
    ]
    tagged = list[Annotated[Union[tuple(branches)], Field(discriminator="kind")]]
    items = asked(tagged, Backend.GEMINI)["items"]
    check = answer_check(tagged)
    name = alias or "kind"
    for choice in items.get("anyOf", [items]):
        for tag in choice["properties"][name].get("enum", [True, False]):
            for answer in (None, "good", 5):
                assert rejected(check, json.dumps([{name: tag, "value": answer}])) is None


@pytest.mark.parametrize(
    "origin",
    [Literal[Grade.A], Optional[Literal[Grade.A]], Union[Literal[b"x"], int], Optional[Callable[[], int]]],
    ids=str,
)
def test_a_type_that_no_answer_could_be_read_as_is_refused_also_in_a_union(origin: Any) -> None:
    with pytest.raises(InputError, match="output_type"):
        asked(origin, Backend.GEMINI)
