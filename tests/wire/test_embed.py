from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import RequestError
from airflow_provider_genai_batch.models import BatchRequest
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.wire.lines.entry import file_line
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.prompts.embed import expand

A = {"parts": [{"text": "a"}], "role": "user"}
NEW, OLD = "gemini-embedding-001", "text-embedding-005"
CONFIG = {"task_type": "RETRIEVAL_QUERY", "output_dimensionality": 64}


def spell(item: Any, backend: Backend, model: str = NEW, defaults: Any = None) -> dict[str, Any]:
    return rest_request(item, backend=backend, task=Task.EMBED, model=model, defaults=defaults).request


@pytest.mark.parametrize(
    "item",
    [
        BatchRequest(contents="a", config=CONFIG),
        {"contents": "a", "config": CONFIG},
        {"contents": ["a"], "config": CONFIG},
        {"content": "a", "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 64},
        {"key": "k", "request": {"content": A, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 64}},
        {"request": {"content": A, "embedContentConfig": CONFIG}},
    ],
)
def test_every_spelling_is_the_same_request_of_each_service(item: Any) -> None:
    assert spell(item, Backend.GEMINI) == {
        "content": A,
        "taskType": "RETRIEVAL_QUERY",
        "outputDimensionality": 64,
    }
    assert spell(item, Backend.VERTEX) == {
        "content": A,
        "embed_content_config": {"task_type": "RETRIEVAL_QUERY", "output_dimensionality": 64},
    }


def test_defaults_are_merged_and_ones_own_values_win() -> None:
    item = {"content": "a", "outputDimensionality": 3}
    assert spell(item, Backend.GEMINI, defaults=CONFIG) == {
        "content": A,
        "taskType": "RETRIEVAL_QUERY",
        "outputDimensionality": 3,
    }


def test_older_models_of_vertex_take_bare_texts() -> None:
    request = rest_request("a", backend=Backend.VERTEX, task=Task.EMBED, model=OLD)
    assert file_line("k", request, Backend.VERTEX, Task.EMBED, OLD) == b'{"content":"a"}\n'


def test_several_contents_in_one_become_several() -> None:
    items = ["x", {"contents": ["a", "b"], "config": CONFIG}, {"contents": "c"}]
    assert list(expand(items)) == [
        "x",
        {"contents": "a", "config": CONFIG},
        {"contents": "b", "config": CONFIG},
        {"contents": "c"},
    ]


@pytest.mark.parametrize(
    ("item", "backend", "model", "said"),
    [
        (
            {"contents": ["a", "b"], "key": "k"},
            Backend.GEMINI,
            NEW,
            "an embedding request has one content, not 2",
        ),
        ({"content": "a", "contents": "b"}, Backend.GEMINI, NEW, "the request has content and contents"),
        ({"content": "a", "dims": 3}, Backend.GEMINI, NEW, "unknown field 'dims' in an embedding request"),
        (
            {"content": "a", "autoTruncate": True},
            Backend.GEMINI,
            NEW,
            "autoTruncate exists only on Vertex AI",
        ),
        ({"content": "a", "taskType": "X"}, Backend.VERTEX, OLD, "text-embedding-005 takes no taskType"),
        ([{"inlineData": {"data": b"x"}}], Backend.VERTEX, OLD, "text-embedding-005 takes one text"),
    ],
)
def test_what_cannot_be_embedded_is_refused_with_a_remedy(
    item: Any, backend: Backend, model: str, said: str
) -> None:
    with pytest.raises(RequestError) as caught:
        spell(item, backend, model)
    assert said in caught.value.reason
    assert caught.value.remedy
