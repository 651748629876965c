"""The client and the operator read the parameters of a job alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig
from airflow_provider_genai_batch.client.job_params import job_spec
from airflow_provider_genai_batch.exceptions import ConfigurationError, GenAIBatchError, InputError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.task.order import read_order
from tests.client.places import MODEL

CONFIGS = {
    Backend.GEMINI: ClientConfig(Backend.GEMINI, api_key="any"),
    Backend.VERTEX: ClientConfig(Backend.VERTEX, project="any"),
}


def by_client(connection: ClientConfig, /, *, model: Any, src: Any, **settings: Any) -> Any:
    return job_spec(connection, model, src, **settings)


GCS = "gs://bucket/in.jsonl"


@pytest.mark.parametrize("read", [by_client, read_order], ids=["client", "operator"])
@pytest.mark.parametrize(
    ("backend", "settings"),
    [
        (Backend.GEMINI, {"model": ""}),
        (Backend.GEMINI, {"model": 5}),
        (Backend.VERTEX, {"src": GCS, "labels": {"Bad Label": "x"}}),
        (Backend.VERTEX, {"src": GCS, "labels": {"a": 5}}),
        (Backend.GEMINI, {"display_name": "a", "config": {"display_name": "b"}}),
        (Backend.GEMINI, {"request_defaults": {"temperature": "hot"}}),
        (Backend.GEMINI, {"src": GCS}),
        (Backend.VERTEX, {"src": "files/abc"}),
        (Backend.VERTEX, {"src": GCS, "webhook": "https://example.com"}),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_in_the_same_words(
    read: Callable[..., Any], backend: Backend, settings: dict[str, Any]
) -> None:
    connection = CONFIGS[backend]
    with pytest.raises(GenAIBatchError) as refused:
        read(connection, **{"model": MODEL, "src": ["a"], **settings})
    with pytest.raises(type(refused.value)) as other:
        read_order(connection, **{"model": MODEL, "src": ["a"], **settings})
    assert str(refused.value) == str(other.value)
    assert isinstance(refused.value, (InputError, ConfigurationError))


def test_spaces_around_a_models_name_are_no_part_of_it() -> None:
    assert job_spec(CONFIGS[Backend.GEMINI], f" {MODEL} ", ["a"]).model == MODEL


def test_many_files_have_no_place_beside_them() -> None:
    with pytest.raises(InputError, match="give dest"):
        job_spec(CONFIGS[Backend.VERTEX], MODEL, "gs://bucket/in/*.jsonl")
