"""Refusals of every shape, as the right exception with all it says."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import (
    AlreadyExists,
    ApiError,
    AuthenticationError,
    BadRequest,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    ServerError,
)
from airflow_provider_genai_batch.wire.services.errors import api_error, read_problem
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from tests.wire.anything import JSON

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=timezone.utc)
RPC = "type.googleapis.com/google.rpc."


def _read(status: int, body: Any = b"", **headers: str) -> ApiError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api_error(HttpAnswer(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw), now=NOW)


def _body(code: int, status: str, message: str = "so it is", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": message, "details": [*details]}}


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (400, "INVALID_ARGUMENT", BadRequest),
        (400, "FAILED_PRECONDITION", PreconditionFailed),
        (401, "UNAUTHENTICATED", AuthenticationError),
        (403, "PERMISSION_DENIED", PermissionDenied),
        (404, "NOT_FOUND", NotFound),
        (405, "", BadRequest),
        (408, "", ServerError),
        (409, "ALREADY_EXISTS", AlreadyExists),
        (412, "conditionNotMet", PreconditionFailed),
        (413, "", BadRequest),
        (429, "RESOURCE_EXHAUSTED", QuotaExceeded),
        (499, "CANCELLED", ServerError),
        (500, "INTERNAL", ServerError),
        (502, "", ServerError),
        (503, "UNAVAILABLE", ServerError),
        (504, "DEADLINE_EXCEEDED", ServerError),
    ],
)
def test_a_status_has_its_class(code: int, status: str, kind: type[ApiError]) -> None:
    error = _read(code, _body(code, status))
    assert type(error) is kind
    assert (error.code, error.status, error.message) == (code, status, "so it is")


def test_the_400_of_a_bad_key_means_401() -> None:
    info = {"@type": RPC + "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    error = _read(400, _body(400, "INVALID_ARGUMENT", "API key not valid.", info))
    assert type(error) is AuthenticationError
    assert (error.reason, error.details) == ("API_KEY_INVALID", (info,))


def test_an_error_in_a_list_of_one_is_unwrapped() -> None:
    error = _read(429, [_body(429, "RESOURCE_EXHAUSTED")])
    assert (type(error), error.status, error.message) == (QuotaExceeded, "RESOURCE_EXHAUSTED", "so it is")


def test_an_oauth_error_is_read() -> None:
    error = _read(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    assert (error.status, error.message) == ("invalid_grant", "Invalid JWT Signature.")


def test_a_page_of_a_front_end_says_its_title() -> None:
    page = b"<!DOCTYPE html><html><head><title>\n  Error 502 (Server Error)!!1</title></head><body>...</body>"
    error = _read(502, page)
    assert (type(error), error.message, error.status) == (ServerError, "Error 502 (Server Error)!!1", "")


def test_a_body_that_is_neither_is_quoted_a_little() -> None:
    assert _read(500, b"upstream connect error " + b"x" * 500).message.startswith("upstream connect error")
    assert len(_read(500, b"x" * 5000).message) == 200


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"error": null}', b'{"error": {}}'])
def test_an_error_without_a_body_says_its_status(body: bytes) -> None:
    error = _read(503, body)
    assert (type(error), error.message, error.details) == (ServerError, "HTTP 503", ())


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"retry_after": "7"}, [], 7.0),
        ({"retry_after": "Sun, 22 Nov 2026 10:00:30 GMT"}, [], 30.0),
        ({"retry_after": "Sun, 22 Nov 2026 09:00:00 GMT"}, [], 0.0),
        ({"retry_after": "soon"}, [{"@type": RPC + "RetryInfo", "retryDelay": "28s"}], 28.0),
        ({"retry_after": "-5"}, [], None),
        ({"retry_after": "inf"}, [], None),
        ({"retry_after": "nan"}, [], None),
        ({"retry_after": "3"}, [{"@type": RPC + "RetryInfo", "retryDelay": "28s"}], 3.0),
        ({}, [{"@type": RPC + "RetryInfo", "retryDelay": "1.5s"}], 1.5),
        ({}, [{"@type": RPC + "RetryInfo", "retry_delay": "4s"}], 4.0),
        ({}, [{"@type": RPC + "RetryInfo", "retryDelay": {"seconds": "28", "nanos": 500000000}}], 28.5),
        ({}, [{"@type": RPC + "RetryInfo", "retryDelay": {"seconds": ["x"]}}], None),
        ({}, [{"@type": RPC + "RetryInfo", "retryDelay": {}}], 0.0),
        ({}, [{"@type": RPC + "RetryInfo", "retryDelay": "infs"}], None),
        ({}, [{"@type": RPC + "RetryInfo"}], None),
        ({}, [{"@type": RPC + "Help", "links": []}], None),
        ({}, [{"@type": RPC + "QuotaFailure", "violations": [{}]}], None),
        ({}, [], None),
    ],
)
def test_the_wait_that_is_asked_for_is_read(
    headers: dict[str, str], details: list[dict[str, Any]], seconds: float | None
) -> None:
    assert _read(429, _body(429, "RESOURCE_EXHAUSTED", "m", *details), **headers).retry_after == seconds


@given(code=st.integers(400, 599), body=JSON, header=st.text())
def test_no_refusal_is_so_strange_that_reading_it_fails(code: int, body: Any, header: str) -> None:
    for value in (body, {"error": body}, [{"error": body}], {"error": {"details": body, "message": body}}):
        error = _read(code, value, retry_after=header)
        assert error.code == code
        assert error.retry_after is None or 0 <= error.retry_after < float("inf")


@given(code=st.integers(400, 599), body=st.binary())
def test_no_bytes_are_so_strange_either(code: int, body: bytes) -> None:
    assert _read(code, body).code == code


def test_the_problem_of_a_job_is_read_with_its_details() -> None:
    problem = read_problem({"code": "13", "message": "m", "details": [{"a": {"b": 1}}, "x"]})
    assert problem is not None
    assert (problem.code, problem.message, problem.details) == (13, "m", ({"a": {"b": 1}},))
    assert read_problem(None) is None
    assert read_problem({}) is None


@given(JSON)
def test_no_problem_is_so_strange_that_reading_it_fails(value: Any) -> None:
    read_problem(value)
    read_problem({"code": value, "message": value, "details": value})
