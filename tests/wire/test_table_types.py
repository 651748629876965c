"""Types as columns, and what SQL says of answers beside what Pydantic says in strict mode."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from airflow_provider_genai_batch.emulator.bigquery.stand_in import BigQuery
from airflow_provider_genai_batch.exceptions import InputError
from airflow_provider_genai_batch.task.tables.typed import TypedTable
from airflow_provider_genai_batch.wire.schemas.column_text import type_of_columns
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check, ask_for
from airflow_provider_genai_batch.wire.tables import judge
from airflow_provider_genai_batch.wire.tables.answers import Answers
from airflow_provider_genai_batch.wire.tables.sql import TableName, check_names, literal
from airflow_provider_genai_batch.wire.tables.statements import Snapshot
from airflow_provider_genai_batch.wire.tables.types import columns_of
from tests.emulator.test_bigquery import client_of

MODELS = 3
ANSWERS = 80
"""Of each model."""


class Person(BaseModel):
    name: str
    age: int | None = None


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Share(float, Enum):
    HALF = 0.5
    WHOLE = 1.0


@dataclass
class Point:
    x: float
    y: float


class Node(BaseModel):
    name: str
    next: Node | None


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


FIELDS: dict[str, Any] = {
    "text": str,
    "whole": int,
    "part": float,
    "good": bool,
    "price": Decimal,
    "day": date,
    "moment": datetime,
    "word": Literal["a", "b"],
    "words": list[str],
    "numbers": list[int],
    "days": list[date],
    "person": Person,
    "people": list[Person],
    "maybe": str | None,
    "maybe_person": Person | None,
    "left_out": (int, 7),
    "any_of_both": dict[str, Any],
}
DAY, MOMENT = "2026-01-02", "2026-01-02T03:04:05Z"
GOOD: dict[str, Any] = {
    "text": "t",
    "whole": 3,
    "part": 0.5,
    "good": True,
    "price": "1.25",
    "day": DAY,
    "moment": MOMENT,
    "word": "a",
    "words": ["x", "y"],
    "numbers": [1, 2],
    "days": [DAY],
    "person": {"name": "Ada", "age": 3},
    "people": [{"name": "Bob"}],
    "maybe": None,
    "maybe_person": None,
    "left_out": 8,
    "any_of_both": {"a": 1},
}
OTHERS: list[Any] = [
    *("", "a", "1", "not", "true", DAY, "2026-13-40", "02.01.2026", MOMENT, "größe\u2028", "1.25"),
    *(0, -5, 10**12, 0.25, -1.5, True, False, None),
    *(
        [],
        ["a"],
        [1],
        ["a", 1],
        [None],
        [[]],
        [{}],
        {},
        {"name": "x"},
        {"name": 1},
        {"name": "x", "age": "3"},
    ),
    *({"name": "x", "age": None}, [{"name": "x", "age": 1}], [{"name": None}]),
]
LENIENT = {("moment", DAY)}
"""What BigQuery takes and Pydantic does not; the documentation of types says so."""


def test_each_type_of_python_has_its_column() -> None:
    class Everything(BaseModel):
        text: str
        uuid: UUID
        colour: Colour
        three: Literal[1, 2, 3]
        whole: int
        part: float
        good: bool
        price: Decimal
        day: date
        moment: datetime
        clock: time
        words: list[str]
        some: set[int]
        person: Person | None
        people: list[Person]
        point: Point
        loose: dict[str, int]
        either: int | str
        square: list[list[int]]
        pair: tuple[int, str]
        node: Node

    assert {one.name: one.type for one in columns_of(Everything)} == {
        "text": "STRING",
        "uuid": "STRING",
        "colour": "STRING",
        "three": "INT64",
        "whole": "INT64",
        "part": "FLOAT64",
        "good": "BOOL",
        "price": "NUMERIC(38, 9)",
        "day": "DATE",
        "moment": "TIMESTAMP",
        "clock": "TIME",
        "words": "ARRAY<STRING>",
        "some": "ARRAY<INT64>",
        "person": "STRUCT<`name` STRING, `age` INT64>",
        "people": "ARRAY<STRUCT<`name` STRING, `age` INT64>>",
        "point": "STRUCT<`x` FLOAT64, `y` FLOAT64>",
        "loose": "JSON",
        "either": "JSON",
        "square": "JSON",
        "pair": "JSON",
        "node": "STRUCT<`name` STRING, `next` JSON>",
    }


def test_columns_are_called_as_fields_are_asked_for_by_their_aliases() -> None:
    class Aliased(BaseModel):
        kind: str = Field(alias="theKind")

    table = TypedTable(TableName("p", "d", "t"), columns_of(Aliased))
    assert [*table.answer_columns] == [*ask_for(Aliased, None)["responseSchema"].schema["properties"]]
    check = table.checked(answer_check(Aliased))
    assert check is not None
    assert check('{"theKind": "a"}') == {"theKind": "a"}


def test_a_field_that_is_read_and_written_by_other_names_keeps_its_value() -> None:
    class Inner(BaseModel):
        size: int | None = Field(None, validation_alias="theSize")

    class Aliased(BaseModel):
        hidden: str = Field("x", exclude=True)
        kind: str | None = Field(None, validation_alias=AliasChoices("theKind", "kindOf"))
        shade: str | None = Field(None, serialization_alias="colour")
        inner: Inner
        more: list[Inner]

    table = TypedTable(TableName("p", "d", "t"), columns_of(Aliased))
    answer = {"theKind": "a", "shade": "red", "inner": {"theSize": 1}, "more": [{"theSize": 2}]}
    check = table.checked(answer_check(Aliased))
    assert check is not None
    assert check(json.dumps(answer)) == {"hidden": None, **answer}


def test_what_makes_no_columns_is_refused() -> None:
    for bad in (str, list[Person], create_model("B", raw=(bytes, ...))):
        with pytest.raises(InputError, match=r"no fields|bytes"):
            columns_of(bad)


def test_columns_can_be_written_as_bigquery_writes_them() -> None:
    made = type_of_columns(
        "kind STRING, tags ARRAY<string>, who STRUCT<name STRING, ages ARRAY<INT64>>, at TIMESTAMP"
    )
    assert {one.name: one.type for one in columns_of(made)} == {
        "kind": "STRING",
        "tags": "ARRAY<STRING>",
        "who": "STRUCT<`name` STRING, `ages` ARRAY<INT64>>",
        "at": "TIMESTAMP",
    }
    assert all(one.required and not one.nullable for one in columns_of(made))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a name is missing"),
        ("kind", "there is no type behind the last name"),
        ("kind STRINGS", "there is no type STRINGS"),
        ("kind STRING,", "a name is missing"),
        ("kind STRING kind", "'kind' is left over"),
        ("a STRING, a INT64", "'a' is there twice"),
        ("a ARRAY<STRING", "'>' is missing"),
        ("a STRUCT<>", "a name is missing"),
        ("a STRING, _b STRING", "'_b' cannot be a field"),
        ("a STRUCT<model_config STRING>", "'model_config' cannot be a field"),
        ("a STRING; DROP", "'; DROP' is no name and no type"),
    ],
)
def test_columns_that_cannot_be_read_are_refused_with_an_example(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"cannot be read as columns: {said}.*such as"):
        type_of_columns(text)


def test_names_that_no_column_has_or_that_clash_are_refused() -> None:
    for names, said in (
        (["a.b"], "no column of BigQuery"),
        (["_PARTITIONTIME"], "keeps for itself"),
        (["Day", "day"], "'Day' and 'day', which is one name"),
        (["x" * 301], "no column"),
    ):
        with pytest.raises(InputError, match=said):
            check_names(names, "The table")
    check_names(["größe", "with-dash", "select", "a b"], "The table")


def verdicts(tables: BigQuery, model: Any, answers: Iterable[str]) -> list[bool]:
    """Return for each answer whether SQL takes it."""
    table = TableName(tables.project, "tests", f"v{uuid4().hex}")
    columns = [("key", "STRING"), ("status", "STRING"), ("response", "STRING"), ("processed_time", "STRING")]
    rows = [
        {
            "key": str(number),
            "status": "",
            "processed_time": "",
            "response": json.dumps(
                {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]}
            ),
        }
        for number, text in enumerate(answers)
    ]
    tables.create_and_insert(f"{table.project}.{table.dataset}.{table.table}", columns, rows)
    judged = Answers([(table, True)], columns_of(model)).judged()
    with closing(client_of(tables)) as google:
        found = {
            row["key"]: row["misfits"]
            for row in google.query(f"{judged} SELECT key, misfits FROM best").result()
        }
    return [found[str(number)] == "" for number in range(len(rows))]


def strict(model: Any, text: str) -> bool:
    try:
        TypeAdapter(model).validate_json(text, strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("seed", range(MODELS))
def test_sql_judges_drawn_answers_to_drawn_models_as_strict_pydantic_does(
    big_query: BigQuery, seed: int
) -> None:
    draw = random.Random(seed)
    names = draw.sample([*FIELDS], 6)
    fields = {
        name: FIELDS[name] if isinstance(FIELDS[name], tuple) else (FIELDS[name], ...) for name in names
    }
    model = create_model("Drawn", **fields)
    answers = [{name: GOOD[name] for name in names}]
    while len(answers) < ANSWERS:
        answer = {name: GOOD[name] for name in names}
        for name in draw.sample(names, draw.choice((1, 1, 1, 2))):
            value = draw.choice(OTHERS)
            if draw.random() < 0.1:
                del answer[name]
            elif (name, value if isinstance(value, str) else "") not in LENIENT:
                answer[name] = value
        answers.append(answer)
    odd = [
        '{"text": "t"',
        "[]",
        "null",
        '"text"',
        "```json\n{}\n```",
        json.dumps(answers[0]) + " That is all.",
    ]
    texts = [*map(json.dumps, answers), *odd]
    wanted = [strict(model, text) for text in texts]
    assert {*wanted} == {True, False}
    found = verdicts(big_query, model, texts)
    assert [text for text, sql, own in zip(texts, found, wanted, strict=True) if sql != own] == []


@pytest.mark.parametrize(
    ("kind", "value", "sql", "pydantic"),
    [
        (int, 2**63, False, True),
        (Decimal, "1234567890123456789012345678901234", False, True),
        (Decimal, "0.12345678901", True, True),
        (date, f"{DAY}T00:00:00", True, False),
        (datetime, DAY, True, False),
        (dict[str, int], {"a": "x"}, True, False),
        (int | str, [1], True, False),
        (Closed, {"name": "a", "more": 1}, True, False),
        (list[str | None], [None], False, True),
        (time, "10:00:00Z", False, True),
        (Share, 1, True, True),
        (str, "x" * 9, True, True),
    ],
)
def test_each_difference_is_one_that_the_documentation_names(
    big_query: BigQuery, kind: Any, value: Any, sql: bool, pydantic: bool
) -> None:
    model = create_model("One", field=(kind, ...))
    text = json.dumps({"field": value})
    assert (verdicts(big_query, model, [text]), strict(model, text)) == ([sql], pydantic)


def test_a_default_has_the_type_of_its_column(big_query: BigQuery) -> None:
    class Lacking(BaseModel):
        either: int | str = "it's"
        price: Decimal = Decimal("1.5")
        day: date = date(2026, 1, 2)
        share: float = 1
        good: bool = True

    columns = columns_of(Lacking)
    read = [judge.read(one, "o") for one in columns]
    assert "SAFE_CAST('1.5' AS NUMERIC(38, 9))" in read[1]
    chosen = ", ".join(f"{sql} AS {one.name}" for sql, one in zip(read, columns, strict=True))
    with closing(client_of(big_query)) as google:
        (row,) = google.query(f"SELECT {chosen} FROM (SELECT PARSE_JSON('{{}}') AS o)").result()
    assert dict(row) == Lacking().model_dump()


def test_ranges_and_patterns_are_pydantics_alone(big_query: BigQuery) -> None:
    model = create_model("One", low=(int, Field(ge=5)), name=(str, Field(pattern="^a")))
    text = json.dumps({"low": 1, "name": "b"})
    assert (verdicts(big_query, model, [text]), strict(model, text)) == ([True], False)


def test_keys_are_written_as_text_by_their_types() -> None:
    types = {"digest": "BYTES", "place": "GEOGRAPHY", "raw": "JSON", "number": "INTEGER"}

    def key(*columns: str) -> str:
        return Snapshot(TableName("p", "d", "t"), types, columns).select().partition(" AS genai_key")[0]

    assert key("digest") == "SELECT CONCAT('k', TO_BASE64(t.`digest`))"
    assert key("place") == "SELECT CONCAT('k', ST_ASTEXT(t.`place`))"
    assert key("raw") == "SELECT CONCAT('k', IF(t.`raw` IS NULL, NULL, TO_JSON_STRING(t.`raw`)))"
    assert key("number") == "SELECT CONCAT('k', CAST(t.`number` AS STRING))"


def test_the_key_of_an_earlier_result_can_be_the_key_again() -> None:
    types = {"text": "STRING", "GENAI_KEY": "STRING"}
    select = Snapshot(TableName("p", "d", "t"), types, ("GENAI_KEY",)).select()
    assert (
        select == "SELECT CONCAT('k', t.`GENAI_KEY`) AS genai_key, t.`text` AS `text` FROM `p`.`d`.`t` AS t"
    )


def test_literals_hold_any_text(big_query: BigQuery) -> None:
    text = 'it\'s \\ "so"\n\t\r {x} `y` größe \u2028 😀 -- ; /*'
    with closing(client_of(big_query)) as google:
        (row,) = google.query(f"SELECT {literal(text)} AS t").result()
    assert row["t"] == text
