"""Result rows of every channel."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.models import ResultRow, RowStatus, Usage
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.answers.answer import Reading
from airflow_provider_genai_batch.wire.answers.results import read_fields
from tests.wire.anything import JSON
from tests.wire.nouns import read_row

GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX
ANSWER: dict[str, Any] = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 3,
        "candidatesTokenCount": 2,
        "thoughtsTokenCount": 4,
        "cachedContentTokenCount": 1,
        "totalTokenCount": 9,
    },
    "modelVersion": "gemini-2.5-flash",
}


def test_an_answer_is_read_with_all_it_cost() -> None:
    row = read_row({"key": "row-1", "response": ANSWER}, GEMINI)
    assert row == ResultRow(
        key="row-1",
        status=RowStatus.OK,
        text="Hello",
        finish_reason="STOP",
        usage=Usage(input=3, output=2, cached=1, thoughts=4, total=9),
        model_version="gemini-2.5-flash",
    )


def test_the_key_of_an_inline_row_is_in_its_metadata() -> None:
    assert read_row({"metadata": {"key": "row-1"}, "response": ANSWER}, GEMINI).key == "row-1"
    assert read_row({"response": ANSWER}, GEMINI).key is None


def test_a_stamped_key_tells_the_index() -> None:
    assert read_row({"key": "r00000042", "response": ANSWER}, GEMINI).index == 42
    assert read_row({"key": "row-42", "response": ANSWER}, GEMINI).index is None


def test_a_key_that_was_marked_for_vertex_comes_back_as_it_was() -> None:
    assert read_row({"key": "key=0042", "response": ANSWER}, VERTEX).key == "0042"
    assert read_row({"key": "key=0042", "response": ANSWER}, GEMINI).key == "key=0042"


def test_thoughts_are_no_part_of_the_text() -> None:
    parts = [{"text": "hm", "thought": True}, {"text": "a"}, {"text": "b"}]
    row = read_row({"response": {"candidates": [{"content": {"parts": parts}}]}}, GEMINI)
    assert row.text == "ab"


def test_function_calls_are_output() -> None:
    call = {"name": "f", "args": {"x": 1}}
    row = read_row({"response": {"candidates": [{"content": {"parts": [{"functionCall": call}]}}]}}, GEMINI)
    assert (row.status, row.output, row.text) == (RowStatus.OK, [call], None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 3, "message": "bad"}, RowStatus.ERROR),
        ({"code": 13, "message": "m", "details": [{"a": {}}]}, RowStatus.ERROR),
        ({"code": 1}, RowStatus.CANCELLED),
        ({"code": "1"}, RowStatus.CANCELLED),
        ({"status": "CANCELLED"}, RowStatus.CANCELLED),
        ("broken", RowStatus.ERROR),
    ],
)
def test_a_refused_row_says_why(error: Any, status: RowStatus) -> None:
    row = read_row({"key": "a", "error": error}, GEMINI)
    assert row.status is status
    assert row.error is not None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 8}, "RESOURCE_EXHAUSTED"),
        ({"code": 3, "status": "Bad Request"}, "Bad Request"),
        ({"code": 429}, ""),
        ({"code": 17}, ""),
        ({"code": -1}, ""),
        ({"code": 0}, ""),
    ],
)
def test_a_status_that_the_service_left_out_is_what_its_code_means(
    error: dict[str, Any], status: str
) -> None:
    row = read_row({"key": "a", "error": error}, GEMINI)
    assert row.error is not None
    assert row.error.status == status


def test_statuses_are_googles() -> None:
    codes = pytest.importorskip("google.rpc.code_pb2").Code
    for name, number in codes.items()[1:]:  # the first is OK, which is no error
        row = read_row({"key": "a", "error": {"code": number}}, GEMINI)
        assert row.error is not None
        assert row.error.status == name


@pytest.mark.parametrize("line", [{}, {"key": "a"}, {"key": "a", "response": {}}, {"key": "a", "error": {}}])
def test_a_row_with_neither_answer_nor_error_is_an_error(line: dict[str, Any]) -> None:
    assert read_row(line, GEMINI).status is RowStatus.ERROR


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "SAFETY"),
        ({"candidates": [{"finishReason": "RECITATION"}]}, "RECITATION"),
        ({"candidates": [{"finishReason": "SAFETY", "content": {"parts": [{"text": "half"}]}}]}, "SAFETY"),
        ({"candidates": [{"finishReason": "MAX_TOKENS", "content": {}}]}, "MAX_TOKENS"),
        ({"candidates": []}, "no candidate"),
        ({"candidates": [{"finishReason": {"odd": 1}}]}, "{'odd': 1}"),
        ({"embedding": {"values": []}}, "no embedding"),
    ],
)
def test_an_answer_without_content_is_invalid_and_says_why(response: dict[str, Any], said: str) -> None:
    row = read_row({"key": "a", "response": response}, GEMINI)
    assert row.status is RowStatus.INVALID
    assert row.error is not None
    assert row.error.status == said


@pytest.mark.parametrize("response", [{}, None, "absent"])
def test_a_status_means_that_a_vertex_row_failed(response: Any) -> None:
    text = 'Bad Request: {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}'
    line = {"key": "a", "status": text, "request": {"contents": []}, "processed_time": "…"}
    row = read_row(line if response == "absent" else {**line, "response": response}, VERTEX)
    assert row.status is RowStatus.ERROR
    assert row.error is not None
    assert (row.error.code, row.error.status, row.error.message) == (400, "INVALID_ARGUMENT", "no")


@pytest.mark.parametrize("backend", [GEMINI, VERTEX])
@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ({"code": 3, "message": "no"}, RowStatus.ERROR, (3, "INVALID_ARGUMENT", "no")),
        ({"code": 400, "status": "ODD", "message": "no"}, RowStatus.ERROR, (400, "ODD", "no")),
        ({"message": "no"}, RowStatus.ERROR, (None, "", "no")),
        ({"code": 1, "message": "gone"}, RowStatus.CANCELLED, (1, "CANCELLED", "gone")),
    ],
)
def test_a_status_that_is_an_object_is_an_error(
    backend: Backend, said: dict[str, Any], status: RowStatus, error: tuple[Any, ...]
) -> None:
    for line in ({"key": "a", "status": said}, {"key": "a", "status": said, "response": {}}):
        row = read_row(line, backend)
        assert row.status is status
        assert row.error is not None
        assert (row.error.code, row.error.status, row.error.message) == error


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize("place", ["error", "status"])
def test_an_error_in_an_error_keeps_its_code_and_message(place: str, backend: Backend) -> None:
    row = read_row({"key": "a", place: {"error": {"code": 3, "message": "no such field"}}}, backend)
    assert row.status is RowStatus.ERROR
    assert row.error is not None
    assert (row.error.code, row.error.message) == (3, "no such field")


@pytest.mark.parametrize("said", [{}, {"code": 0}, {"details": []}])
def test_a_status_that_says_ok_is_none(said: dict[str, Any]) -> None:
    row = read_row({"key": "a", "status": said, "response": ANSWER}, GEMINI)
    assert (row.status, row.text) == (RowStatus.OK, "Hello")


def test_a_status_without_json_is_its_own_message() -> None:
    row = read_row({"status": "Bad {thing", "response": {}}, VERTEX)
    assert row.error is not None
    assert row.error.message == "Bad {thing"


def test_an_empty_status_is_no_failure() -> None:
    assert read_row({"key": "a", "status": "", "response": ANSWER}, VERTEX).status is RowStatus.OK


def test_an_embedding_is_numbers() -> None:
    row = read_row({"key": "a", "response": {"tokenCount": "2", "embedding": {"values": [0.1, 0.2]}}}, GEMINI)
    assert (row.status, row.output, row.usage) == (RowStatus.OK, [0.1, 0.2], Usage(input=2, total=2))


@pytest.mark.parametrize(
    "values",
    [[None, None], [0.1, None], ["NaN", 0.1], [True], [[0.1]], [10**400], "abc", {"0": 1}, 5],
    ids=str,
)
def test_an_embedding_of_anything_else_than_finite_numbers_is_invalid(values: Any) -> None:
    """A database of vectors does not take it, and a table of rows loads nothing at all with it."""
    for line, backend in (
        ({"key": "a", "response": {"tokenCount": "2", "embedding": {"values": values}}}, GEMINI),
        ({"instance": {"content": "…"}, "predictions": [{"embeddings": {"values": values}}]}, VERTEX),
        ({"custom_id": "a", "response": {"object": "list", "data": [{"embedding": values}]}}, VERTEX),
    ):
        row = read_row(line, backend)
        assert (row.status, row.output) == (RowStatus.INVALID, None)
        assert row.error is not None
        assert row.error.message == "the service sent an embedding that is not a list of finite numbers"


@pytest.mark.parametrize(("truncated", "counted"), [(False, {}), (True, {"statistics.truncated": 1})])
def test_a_text_that_was_embedded_only_in_part_is_counted(truncated: bool, counted: dict[str, int]) -> None:
    statistics = {"token_count": 8, "truncated": truncated}
    reading = Reading()
    read_fields(
        {"predictions": [{"embeddings": {"statistics": statistics, "values": [0.5]}}]}, VERTEX, reading
    )
    assert reading.dropped == counted


def test_a_text_embedding_is_numbers_too() -> None:
    prediction = {"embeddings": {"statistics": {"token_count": 8}, "values": [0.5]}}
    row = read_row(
        {"instance": {"content": "…", "key": "a"}, "predictions": [prediction], "status": ""}, VERTEX
    )
    assert (row.key, row.status, row.output, row.usage) == ("a", RowStatus.OK, [0.5], Usage(input=8, total=8))
    assert read_row({"predictions": [], "status": ""}, VERTEX).status is RowStatus.ERROR


@pytest.mark.parametrize("said", ["", " ", "null", "{}"])
def test_an_error_as_text_that_says_nothing_hides_no_answer(said: str) -> None:
    line = {"id": "x", "custom_id": "a", "response": ANSWER, "error": said}
    assert read_row(line, VERTEX).status is RowStatus.OK


@pytest.mark.parametrize(
    "said", ['{"code": 429, "message": "slow"}', '{"error": {"code": 429, "message": "slow"}}']
)
def test_an_error_as_json_text_keeps_its_code_and_message(said: str) -> None:
    row = read_row({"id": "x", "custom_id": "a", "response": None, "error": said}, VERTEX)
    assert row.status is RowStatus.ERROR
    assert row.error is not None
    assert (row.error.code, row.error.message) == (429, "slow")


@pytest.mark.parametrize("line", [{"key": "a"}, {"custom_id": "a", "request": {}, "status": ""}])
@pytest.mark.parametrize("kind", [{}, {"type": "error"}])
def test_an_error_in_place_of_an_answer_is_an_error(line: dict[str, Any], kind: dict[str, Any]) -> None:
    inner = {"type": "overloaded_error", "message": "try later"}
    row = read_row({**line, "response": {**kind, "error": inner}}, VERTEX)
    assert row.status is RowStatus.ERROR
    assert row.error is not None
    assert (row.error.status, row.error.message) == ("overloaded_error", "try later")


@pytest.mark.parametrize("unset", [None, []])
def test_a_column_of_another_family_that_is_not_set_hides_no_answer(unset: Any) -> None:
    line = {"key": "a", "response": ANSWER, "status": "", "instance": None, "predictions": unset}
    assert read_row(line, VERTEX).status is RowStatus.OK


def test_the_response_is_kept_on_request_only() -> None:
    line = {"key": "a", "response": ANSWER}
    assert read_row(line, GEMINI).response is None
    assert read_row(line, GEMINI, keep_response=True).response == ANSWER


@pytest.mark.parametrize("status", ["", "Bad Request: too long"])
def test_a_row_that_can_have_no_key_brings_the_text_that_was_asked(status: str) -> None:
    line = {"instance": {"content": "one"}, "predictions": [{"embeddings": {"values": [1.0]}}]}
    row = read_row({**line, "status": status}, VERTEX)
    assert (row.key, row.text) == (None, "one")


TEXTS = st.text(min_size=1, max_size=5)
REASONS = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "NEW"])
COUNTS = st.dictionaries(st.sampled_from(list(ANSWER["usageMetadata"])), st.integers(0, 2**40), max_size=5)


@given(st.text(min_size=1), REASONS, TEXTS, COUNTS)
def test_the_straight_way_and_the_long_way_to_an_answer_are_one(
    said: str, reason: str, version: str, counts: dict[str, int]
) -> None:
    part, thought = {"text": said}, {"text": "hm", "thought": True}
    candidate = {"content": {"parts": [part]}, "finishReason": reason}
    straight = {"candidates": [candidate], "usageMetadata": counts, "modelVersion": version}
    long = {
        "candidates": [{"content": {"parts": [thought, part]}, "finish_reason": reason}],
        "usage_metadata": {name: str(number) for name, number in counts.items()},
        "model_version": version,
    }
    row = read_fields({"key": "r00000007", "response": straight}, GEMINI)
    other = read_fields({"response": long, "metadata": {"key": "r00000007"}}, GEMINI)
    assert other.pop("parts") == [{"candidate": 0, "part": 0, **thought}]
    assert row == other
    assert (
        read_row({"key": "r00000007", "response": straight}, GEMINI).model_dump(
            mode="json", exclude={"response", "round", "input"}
        )
        == row
    )


FIELDS = ["key", "response", "error", "status", "metadata", "predictions", "instance", "request"]
INNER = [
    "candidates",
    "content",
    "parts",
    "text",
    "finishReason",
    "usageMetadata",
    "promptTokenCount",
    "embedding",
    "values",
    "code",
]
MORE = [
    *INNER,
    "message",
    "promptFeedback",
    "blockReason",
    "modelVersion",
    "embeddings",
    "statistics",
    "error",
]
DEEP = st.recursive(
    JSON,
    lambda inner: st.dictionaries(st.sampled_from(MORE), inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), DEEP), st.sampled_from(Backend), st.booleans())
def test_no_row_is_so_strange_that_reading_it_fails(line: Any, backend: Backend, keep: bool) -> None:
    row = read_row(line, backend, keep_response=keep)
    assert isinstance(row.status, RowStatus)
    row.model_dump_json()
