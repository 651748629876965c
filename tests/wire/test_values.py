"""Scalars and HTTP values as the services write them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.wire.services.http import (
    HttpAnswer,
    HttpRequest,
    json_body,
    query,
    read_object,
)
from airflow_provider_genai_batch.wire.values import get, integer, listing, mapping, text, timestamp
from tests.wire.anything import JSON

UTC = timezone.utc


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("2026-09-01T10:00:00Z", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("2026-09-01T10:00:00.123456789Z", datetime(2026, 9, 1, 10, 0, 0, 123456, UTC)),
        ("2026-09-01T10:00:00.5Z", datetime(2026, 9, 1, 10, 0, 0, 500000, UTC)),
        ("2026-09-01t10:00:00z", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("2026-09-01T12:30:00+02:30", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("2024-11-01T18:13:16.826+0000", datetime(2024, 11, 1, 18, 13, 16, 826000, UTC)),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2026-13-01T10:00:00Z", None),
        ("2026-09-01T10:00:60Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1.5, None),
    ],
)
def test_times_are_read_with_six_digits_in_utc(spelled: Any, meant: datetime | None) -> None:
    assert timestamp(spelled) == meant


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - hypothesis wants naive bounds
    st.integers(0, 9),
    st.integers(-23 * 60, 23 * 60),
)
def test_a_time_is_the_same_in_any_zone_and_with_any_digits(naive: datetime, digits: int, zone: int) -> None:
    moment = naive.replace(tzinfo=UTC)
    shown = moment.astimezone(timezone(timedelta(minutes=zone)))
    fraction = f"{moment.microsecond:06d}789"[:digits]
    offset = f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02d}:{abs(zone) % 60:02d}"
    spelled = f"{shown:%Y-%m-%dT%H:%M:%S}{'.' + fraction if fraction else ''}{offset}"
    kept = int(f"{fraction[:6]:0<6}") if fraction else 0
    assert timestamp(spelled) == moment.replace(microsecond=kept)


@given(st.text() | JSON)
def test_no_time_is_so_strange_that_reading_it_fails(value: Any) -> None:
    found = timestamp(value)
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("123", 123),
        (5, 5),
        ("-1", -1),
        ("x", None),
        (None, None),
        (float("inf"), None),
        (float("nan"), None),
        ([], None),
    ],
)
def test_int64_is_read_from_strings(value: Any, number: int | None) -> None:
    assert integer(value) == number


def test_a_field_has_two_spellings_and_null_is_none() -> None:
    assert get({"displayName": "a"}, "displayName") == "a"
    assert get({"display_name": "a"}, "displayName") == "a"
    assert get({"displayName": None, "display_name": "a"}, "displayName") == "a"
    assert get({"displayName": None}, "displayName", "b") == "b"
    assert get({"zero": 0}, "zero", 5) == 0


@given(JSON)
def test_what_is_something_else_counts_as_nothing(value: Any) -> None:
    assert mapping(value) == (value if isinstance(value, dict) else {})
    assert listing(value) == (value if isinstance(value, list) else [])
    assert text(value) == (value if isinstance(value, str) else None)


def test_an_empty_body_is_an_empty_object() -> None:
    assert read_object(HttpAnswer(200, {}, b" \n")) == {}


@pytest.mark.parametrize("body", [b"[]", b"1", b"<html>", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="status 200"):
        read_object(HttpAnswer(200, {}, body))


def test_what_is_not_given_is_not_asked() -> None:
    assert query(a=None, b="", c=0, d="x") == (("c", "0"), ("d", "x"))


def test_a_body_is_compact_utf8_and_never_nan() -> None:
    assert json_body({"a": ["ü"]}) == '{"a":["ü"]}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        json_body(float("nan"))


def test_a_request_shows_neither_its_query_nor_its_body() -> None:
    shown = repr(HttpRequest("POST", "https://h/upload?upload_id=s3cret", body=b"prompts"))
    assert shown == "HttpRequest(POST https://h/upload, 7 bytes)"
    assert repr(HttpAnswer(200, {"location": "s3cret"}, b"abc")) == "HttpAnswer(200, 3 bytes)"
