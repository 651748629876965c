"""The client and the operator read the parameters of a job alike."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig
from airflow_provider_genai_batch.client.job_params import job_spec
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.client.places import MODEL
from tests.dags import run_dag
from tests.operators.scenes import client

GCS = "gs://bucket/in.jsonl"
IN_A_TASK = (
    ". Nothing was submitted, and nothing is billed. The next attempt does the same unless this is fixed."
)
"""What a task says besides, where the mistake is found when it runs."""


@pytest.mark.parametrize(
    ("backend", "settings"),
    [
        ("gemini", {"model": ""}),
        ("gemini", {"model": 5}),
        ("vertex", {"src": GCS, "labels": {"Bad Label": "x"}}),
        ("vertex", {"src": GCS, "labels": {"a": 5}}),
        ("gemini", {"display_name": "a", "config": {"display_name": "b"}}),
        ("gemini", {"request_defaults": {"temperature": "hot"}}),
        ("gemini", {"src": GCS}),
        ("vertex", {"src": "files/abc"}),
        ("vertex", {"src": GCS, "webhook": "https://example.com"}),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_in_the_same_words(
    request: pytest.FixtureRequest, backend: str, settings: dict[str, Any]
) -> None:
    emulator = request.getfixturevalue(backend)
    settings = {"model": MODEL, "src": ["a"], **settings}
    with client() as service, pytest.raises((InputError, ConfigurationError)) as refused:
        service.create(**settings)
    ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))
    (other,) = ran.errors
    assert type(other) is refused.type
    assert str(other).removesuffix(IN_A_TASK) == str(refused.value)
    assert not emulator.jobs


def test_spaces_around_a_models_name_are_no_part_of_it() -> None:
    assert job_spec(ClientConfig(Backend.GEMINI, api_key="any"), f" {MODEL} ", ["a"]).model == MODEL


def test_many_files_have_no_place_beside_them() -> None:
    with pytest.raises(InputError, match="give dest"):
        job_spec(ClientConfig(Backend.VERTEX, project="any"), MODEL, "gs://bucket/in/*.jsonl")


def test_what_is_not_certain_of_a_job_is_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    connection = ClientConfig(Backend.VERTEX, project="any", location="us-east5")
    place = {"dest": "gs://bucket/out/", "priority": 5}
    with caplog.at_level(logging.INFO, logger="airflow_provider_genai_batch"):
        job_spec(connection, "claude-sonnet-4-6", "gs://bucket/in.jsonl", **place)
    said = [record.getMessage() for record in caplog.records]
    assert [("us-east5 is not certain" in one, "priority=5 is not sent" in one) for one in said] == [
        (True, False),
        (False, True),
    ]
