"""Types whose answers need no instance: which they are, and that their JSON is Pydantic's."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from msgspec import Raw
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    computed_field,
    field_serializer,
    field_validator,
)
from pydantic_core import from_json, to_json

from airflow_provider_genai_batch.wire.schemas.output_type import answer_check


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


class Place(BaseModel):
    name: str
    height: float | None = None


class Plain(BaseModel):
    """One of everything."""

    first: Place
    others: list[Place]
    by_name: dict[str, Place]
    mood: Mood
    size: Literal["s", "m"]
    stars: Literal[1, 2]
    number: int = 3
    sure: bool = False


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int


class Stripped(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)
    a: str


class Validated(BaseModel):
    a: int

    @field_validator("a")
    @classmethod
    def _even(cls, value: int) -> int:
        return value * 2


class Written(BaseModel):
    a: int

    @field_serializer("a")
    def _text(self, value: int) -> str:
        return f"{value}!"


class Computed(BaseModel):
    a: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return self.a * 2


class Aliased(BaseModel):
    a: int = Field(validation_alias=AliasChoices("a", "b"))


class Begun(BaseModel):
    a: int

    def model_post_init(self, _: Any) -> None:
        self.a += 1


class Own(BaseModel):
    a: int

    def __init__(self, **data: Any) -> None:
        super().__init__(**{**data, "a": 5})


class Made(BaseModel):
    a: list[int] = Field(default_factory=list)


class Tree(BaseModel):
    leaves: list[Tree]


@pytest.mark.parametrize(
    "kind", [Plain, list[Place], dict[str, int], str, int, Mood, Literal["a"], list[float]]
)
def test_plain_types_need_no_instance(kind: Any) -> None:
    assert answer_check(kind).fast is not None


@pytest.mark.parametrize(
    "kind",
    [
        Closed,
        Stripped,
        Validated,
        Written,
        Computed,
        Aliased,
        Begun,
        Own,
        Made,
        Tree,
        Annotated[int, Field(gt=1)],
    ],
)
def test_types_that_say_more_are_read_by_pydantic_alone(kind: Any) -> None:
    assert answer_check(kind).fast is None


GOOD = (
    '{"first": {"name": "é"}, "others": [{"height": 1, "name": "b"}], "by_name": {"x": {"name": "c", "height": null}}, '
    '"mood": "bad", "size": "m", "stars": 2, "number": 4, "sure": true}'
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ('"number": 4, ', ""),
        ('"number": 4', '"number": "4"'),
        ('"number": 4', '"number": 4.0'),
        ('"number": 4', '"number": 4.5'),
        ('"number": 4', '"number": 123456789012345678901234567890'),
        ('"number": 4', f'"number": {"9" * 5000}'),
        ('"number": 4', '"number": 4, "number": 5'),
        ('"number": 4', '"number": "x", "number": 5'),
        ('"number": 4', '"number": 4, "more": 5'),
        ('"height": 1', '"height": 1e999'),
        ('"height": 1', '"height": NaN'),
        ('"height": 1', '"height": 123456789012345678901234567890'),
        ('"sure": true', '"sure": "yes"'),
        ('"stars": 2', '"stars": 2.0'),
        ('"stars": 2', '"stars": 3'),
        ('"mood": "bad"', '"mood": "worse"'),
        ("é", "\\ud83d\\ude00"),
        ("é", "\\ud800"),
        ("}", "} "),
        ('"sure": true}', '"sure": true'),
    ],
)
def test_both_readers_judge_alike_and_write_the_same(old: str, new: str) -> None:
    check, text = answer_check(Plain), GOOD.replace(old, new) if old else GOOD
    assert _judged(check.spelled, text) == _judged(check, text)


def _judged(check: Callable[[str], Any], text: str) -> Any:
    """Return the JSON of what a check makes of an answer, or what it has against it."""
    try:
        found = check(text)
    except ValueError as error:
        return str(error)
    return [from_json(bytes(found) if isinstance(found, Raw) else to_json(found, inf_nan_mode="null"))]


def test_a_default_is_written_in_the_type_of_its_member() -> None:
    class Weighed(BaseModel):
        weight: float = 1

    check = answer_check(Weighed)
    assert check.fast is not None
    assert check.fast("{}") == b'{"weight":1.0}'
