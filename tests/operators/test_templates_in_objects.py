"""Templates in objects of google-genai are rendered as they are in dicts, and requests in neither."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types

from airflow_provider_genai_batch.models import BatchDestination, BatchRequest, BatchSource
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator, GenAIBatchResultsOperator
from tests.operators.scenes import MODEL

DAY = "2026-11-28"
CONTEXT: Any = {"ds": DAY}


def rendered(**fields: Any) -> GenAIBatchOperator:
    task = GenAIBatchOperator(task_id="ask", **{"model": MODEL, "src": ["one"], **fields})
    task.render_template_fields(CONTEXT)
    return task


OBJECTS = {
    "dest": (
        types.BatchJobDestination(gcs_uri="gs://b/{{ ds }}/"),
        BatchDestination(gcs_uri="gs://b/{{ ds }}/"),
    ),
    "config": (
        types.CreateBatchJobConfig(
            display_name="of {{ ds }}",
            dest=types.BatchJobDestination(gcs_uri="gs://b/{{ ds }}/", format="jsonl"),
        ),
    ),
    "request_defaults": (
        types.GenerateContentConfig(
            system_instruction="Today is {{ ds }}.",
            stop_sequences=["{{ ds }}"],
            http_options=types.HttpOptions(headers={"day": "{{ ds }}"}),
            temperature=0.5,
        ),
        types.GenerateContentConfig(
            system_instruction=types.Content(parts=[types.Part(text="Today is {{ ds }}.")])
        ),
        types.EmbedContentConfig(title="{{ ds }}"),
    ),
    "webhook": (types.WebhookConfig(uris=["https://hooks.example/{{ ds }}"]),),
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in OBJECTS.items() for value in values],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_field_of_an_object_is_rendered_as_that_of_a_dict(field: str, value: Any) -> None:
    task = rendered(**{field: value})
    as_dict = rendered(**{field: value.model_dump(exclude_none=True)})
    assert getattr(task, field).model_dump(exclude_none=True) == getattr(as_dict, field)
    assert DAY in repr(getattr(task, field))
    assert "{{ ds }}" in repr(value), "the object in the DAG file was changed"


@pytest.mark.parametrize(
    "src",
    [
        types.BatchJobSource(gcs_uri=["gs://b/{{ ds }}.jsonl"], format="jsonl"),
        types.BatchJobSource(bigquery_uri="bq://p.d.t{{ ds }}", format="bigquery"),
        types.BatchJobSource(file_name="files/{{ ds }}"),
        types.EmbeddingsBatchJobSource(file_name="files/{{ ds }}"),
        BatchSource(gcs_uri=("gs://b/{{ ds }}.jsonl",)),
        BatchSource(path="/data/{{ ds }}.jsonl"),
    ],
    ids=lambda src: repr(src)[:60],
)
def test_the_address_in_a_source_is_rendered(src: Any) -> None:
    assert DAY in repr(rendered(src=src).src)
    results = GenAIBatchResultsOperator(task_id="land", job_names="x", results_uri="/x.jsonl", src=src)
    results.render_template_fields(CONTEXT)
    assert DAY in repr(results.src)


@pytest.mark.parametrize(
    "src",
    [
        types.BatchJobSource(inlined_requests=[types.InlinedRequest(contents="{{ ds }}")]),
        [types.InlinedRequest(contents="{{ ds }}")],
        [types.Content(parts=[types.Part(text="{{ ds }}")])],
        [BatchRequest(contents="{{ ds }}")],
    ],
    ids=lambda src: repr(src)[:60],
)
def test_a_request_in_an_object_is_not_rendered(src: Any) -> None:
    assert repr(rendered(src=src).src) == repr(src)
