"""Rows into a file: one JSON object a line, each request once."""

from __future__ import annotations

import gzip
import io
import json
import math
from typing import Any

import pytest
from pydantic import BaseModel, computed_field, field_serializer, field_validator

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models import ResultRow, RowCounts, Usage
from airflow_provider_genai_batch.results.counting.row_counter import RowCounter
from airflow_provider_genai_batch.results.sinks import Form, opened
from airflow_provider_genai_batch.results.write import land
from airflow_provider_genai_batch.wire.keys import MASK, key_digest, stamp
from airflow_provider_genai_batch.wire.schemas.output_type import answer_check
from tests.results.answers import answered, refused

FIELDS = ["key", "index", "status", "text", "output", "error", "finish_reason", "usage", "model_version"]


def _land(*rounds: Any, tally: RowCounter, form: Form = "jsonl", **settings: Any) -> bytes:
    out = io.BytesIO()
    with opened(out, form) as write:
        land(rounds, tally, write, **settings)
    return out.getvalue()


def _lines(*rounds: Any, tally: RowCounter, **settings: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _land(*rounds, tally=tally, **settings).splitlines()]


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz"])
def test_rows_land_as_lines_with_exactly_these_fields(form: Form) -> None:
    data = _land([answered("a"), answered("b")], tally=RowCounter(expected=2, keyed=True), form=form)
    text = gzip.decompress(data) if form == "jsonl.gz" else data
    lines = [json.loads(line) for line in text.splitlines()]
    assert [list(line) for line in lines] == [FIELDS, FIELDS]
    assert lines[0] == {
        "key": "a",
        "index": None,
        "status": "ok",
        "text": "ü",
        "output": None,
        "error": None,
        "finish_reason": None,
        "usage": {"input": 1, "output": 0, "cached": 0, "thoughts": 0, "total": 1},
        "model_version": None,
    }


def test_what_lands_is_read_back_as_a_row() -> None:
    (line,) = _land(
        [answered(stamp(0))], tally=RowCounter(expected=1, stamped=True), carry=lambda _: {"x": 1}
    ).splitlines()
    row = ResultRow.model_validate_json(line)
    assert (row.index, row.text, row.usage, row.round, row.input) == (
        0,
        "ü",
        Usage(input=1, total=1),
        0,
        {"x": 1},
    )


def test_the_raw_response_is_there_where_it_was_kept() -> None:
    (line,) = _lines([{**answered("a"), "response": {"x": 1}}], tally=RowCounter(expected=1))
    assert list(line) == [*FIELDS, "response"]


def test_missing_rows_land_behind_the_others_with_their_keys() -> None:
    tally = RowCounter(expected=3, keyed=True, known=["a", "b", "c"])
    lines = _lines([answered("b")], tally=tally)
    assert [(line["key"], line["index"], line["status"]) for line in lines] == [
        ("b", 1, "ok"),
        ("a", 0, "missing"),
        ("c", 2, "missing"),
    ]
    assert tally.counts == RowCounts(total=3, ok=1, missing=2)


def test_duplicates_do_not_land() -> None:
    assert len(_lines([answered("a"), answered("a")], tally=RowCounter(expected=1, keyed=True))) == 1


def test_a_key_of_the_users_own_that_looks_like_a_stamp_tells_no_index() -> None:
    (line,) = _lines([answered(stamp(7))], tally=RowCounter(expected=1, keyed=True))
    assert line["index"] is None


def test_nothing_is_written_where_rows_are_only_counted() -> None:
    tally = RowCounter(expected=3, keyed=True)
    land([[answered("a")]], tally, None, carry=lambda _: pytest.fail("nobody reads it"))
    assert tally.counts == RowCounts(total=3, ok=1, missing=2)


def test_many_rows_are_written_as_they_come() -> None:
    class Out(io.BytesIO):
        writes = 0

        def write(self, data: Any) -> int:
            self.writes += 1
            return super().write(data)

    out, tally = Out(), RowCounter(expected=20_000, keyed=True)
    land([(answered(f"k{n}") for n in range(20_000))], tally, out.write)
    assert out.writes > 5
    assert out.getvalue().count(b"\n") == 20_000


@pytest.mark.parametrize("form", ["jsonl.gz", "parquet"])
def test_the_same_rows_make_the_same_bytes(form: Form) -> None:
    one, two = (_land([answered("a")], tally=RowCounter(expected=1), form=form) for _ in range(2))
    assert one == two


def test_what_json_does_not_have_becomes_null_or_a_question_mark() -> None:
    rows = [{**answered("a"), "output": [math.nan, math.inf, 1.5]}, {**answered("b"), "text": "half \ud800"}]
    lines = _lines(rows, tally=RowCounter(expected=2))
    assert (lines[0]["output"], lines[1]["text"]) == ([None, None, 1.5], "half ?")


# ------------------------------------------------------------ validated


def _number(text: str) -> Any:
    return {"number": int(text)}


def test_one_that_json_cannot_hold_changes_none_of_its_neighbours() -> None:
    rows = [
        answered("a", "1"),
        {**answered("b", "2"), "model_version": "half \ud800"},
        answered("c", "3", modelVersion=10**30),
    ]
    lines = _lines(rows, tally=RowCounter(expected=3), validate=_number)
    assert [line["output"] for line in lines] == [{"number": 1}, {"number": 2}, {"number": 3}]
    assert lines[1]["model_version"] == "half ?"


def test_an_answer_that_is_what_was_asked_for_has_its_output() -> None:
    tally = RowCounter(expected=1)
    (line,) = _lines([answered("a", "12")], tally=tally, validate=_number)
    assert (line["status"], line["text"], line["output"], line["error"]) == ("ok", "12", {"number": 12}, None)
    assert tally.counts.ok == 1


def test_an_answer_that_is_not_is_invalid_and_keeps_its_text() -> None:
    tally = RowCounter(expected=1, stamped=True)
    (line,) = _lines([answered(stamp(0), "twelve")], tally=tally, validate=_number)
    assert (line["status"], line["text"], line["output"]) == ("invalid", "twelve", None)
    assert line["error"]["status"] == "INVALID_OUTPUT"
    assert "invalid literal for int() with base 10: 'twelve'" in line["error"]["message"]
    assert tally.counts == RowCounts(total=1, invalid=1)
    assert tally.unanswered(stamp(0), 0)


def test_an_answer_without_text_is_not_what_was_asked_for() -> None:
    call = {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]}
    (line,) = _lines([answered("a", **call)], tally=RowCounter(expected=1), validate=_number)
    assert (line["status"], line["error"]["message"]) == ("invalid", "the answer has no text")


def test_only_good_answers_are_validated() -> None:
    (line,) = _lines(
        [refused("a")], tally=RowCounter(expected=1), validate=lambda _: pytest.fail("not this one")
    )
    assert line["error"]["message"] == "broken"


# ------------------------------------------------------------ carried


def test_columns_of_the_input_come_along_also_with_a_missing_row() -> None:
    tally = RowCounter(expected=2, keyed=True, stamped=True)
    lines = _lines([answered(stamp(1))], tally=tally, carry=lambda index: {"id": index * 10})
    assert [(line["index"], line["input"]) for line in lines] == [(1, {"id": 10}), (0, {"id": 0})]


def test_a_row_whose_place_is_not_known_has_no_columns() -> None:
    (line,) = _lines([answered("a")], tally=RowCounter(expected=1, keyed=True), carry=lambda _: {"id": 1})
    assert line["input"] is None


# ------------------------------------------------------------ rounds


STAMPS = [stamp(number) for number in range(4)]


@pytest.mark.parametrize(
    ("begin", "keys"),
    [
        pytest.param(lambda: RowCounter(expected=4, keyed=True, stamped=True), STAMPS, id="stamped"),
        pytest.param(
            lambda: RowCounter(expected=4, keyed=True, known=list("abcd")), list("abcd"), id="known"
        ),
        pytest.param(lambda: RowCounter(expected=4, keyed=True), list("abcd"), id="remembered"),
    ],
)
def test_the_row_of_a_later_round_takes_the_place_of_an_earlier_one(begin: Any, keys: list[str]) -> None:
    a, b, c, d = keys
    tally = begin()
    first = [answered(a), refused(b), refused(c), refused(d)]
    second = [refused(b), answered(c), answered(c)]
    third = [answered(b)]
    lines = _lines(first, second, third, tally=tally)
    assert {line["key"]: (line["status"], line.get("round")) for line in lines} == {
        a: ("ok", None),
        b: ("ok", 2),
        c: ("ok", 1),
        d: ("error", None),
    }
    assert len(lines) == 4
    assert tally.counts == RowCounts(total=4, ok=3, error=1)
    assert (tally.rows_read, tally.replaced, tally.duplicates) == (8, 3, 1)
    assert [tally.unanswered(key, index) for index, key in enumerate(keys)] == [False, False, False, True]


def test_a_sum_of_the_keys_holds_over_all_rounds() -> None:
    tally = RowCounter(expected=3, keyed=True, key_sum=sum(map(key_digest, "abc")) & MASK)
    _land([answered("a"), refused("b"), refused("c")], [answered("b"), refused("c")], tally=tally)
    assert tally.sure
    assert tally.counts == RowCounts(total=3, ok=2, error=1)
    assert [tally.unanswered(key, None) for key in "abc"] == [False, False, True]


def test_tokens_of_rows_that_were_replaced_are_counted_for_they_are_paid() -> None:
    tally = RowCounter(expected=1, keyed=True, stamped=True)
    _land([answered(stamp(0))], [answered(stamp(0))], tally=tally)
    assert tally.usage == Usage(input=2, total=2)


def test_what_is_missing_in_every_round_is_missing_once_and_unanswered() -> None:
    tally = RowCounter(expected=2, keyed=True, stamped=True)
    lines = _lines([answered(stamp(0))], [], tally=tally)
    assert [line["status"] for line in lines] == ["ok", "missing"]
    assert [tally.unanswered(stamp(n), n) for n in range(2)] == [False, True]


def test_a_request_without_a_key_cannot_be_asked_again() -> None:
    tally = RowCounter(expected=1)
    _land([], tally=tally)
    assert not tally.unanswered(None, None)


def test_files_are_written_of_the_rows_that_land_and_of_no_others() -> None:
    """A later round, a second row of a key and a stranger have pictures of their own, which stand for nothing."""

    def drawn(key: str, data: str) -> dict[str, Any]:
        return {
            **answered(key),
            "media": [{"candidate": 0, "part": 1, "mime_type": "image/png", "data": data}],
        }

    given: list[tuple[Any, ...]] = []

    def store(*what: Any) -> dict[str, Any]:
        given.append(what)
        return {"uri": f"/media/{what[-1]}"}

    first = [drawn("a", "a0"), drawn("b", "b0"), drawn("b", "twice"), drawn("stranger", "s0")]
    again = [drawn("a", "a1")]
    tally = RowCounter(expected=2, keyed=True, known=["a", "b"])
    lines = _lines(first, again, tally=tally, store=store)
    assert given == [("a", 0, 1, "image/png", "a1"), ("b", 0, 1, "image/png", "b0")]
    assert {line["key"]: line["media"] for line in lines} == {
        key: [{"candidate": 0, "part": 1, "mime_type": "image/png", "uri": f"/media/{data}"}]
        for key, data in (("a", "a1"), ("b", "b0"))
    }
    given.clear()
    land([[drawn("a", "a0")]], RowCounter(expected=1, keyed=True), None, store=store)
    assert given == [("a", 0, 1, "image/png", "a0")], "files land without rows, too"


class Looked(BaseModel):
    """Its validator fails on unknown names."""

    name: str

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        """Look it up."""
        return {"a": "A"}[name]


class Shared(BaseModel):
    """Its computed field fails on zero."""

    count: int

    @computed_field  # type: ignore[prop-decorator]  # as Pydantic's documentation has it
    @property
    def share(self) -> float:
        """Divide by a number of the answer."""
        return 1 / self.count


class Written(BaseModel):
    """Its serializer fails on zero."""

    count: int

    @field_serializer("count")
    def shown(self, count: int) -> float:
        """Divide by a number of the answer."""
        return 1 / count


@pytest.mark.parametrize(
    ("output_type", "text", "what"),
    [
        (Looked, '{"name": "b"}', "KeyError: 'b'"),
        (Shared, '{"count": 0}', "ZeroDivisionError"),
        (Written, '{"count": 0}', "ZeroDivisionError"),
    ],
)
def test_code_of_the_type_that_fails_names_itself_and_the_row(
    output_type: type[BaseModel], text: str, what: str
) -> None:
    tally = RowCounter(expected=1, keyed=True)
    with pytest.raises(ConfigurationError, match=what) as caught:
        _land([answered("seventh", text)], tally=tally, validate=answer_check(output_type))
    assert "'seventh'" in str(caught.value)
