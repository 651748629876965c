"""common.ai's requests as lines: what a request says of its own, what the task says, and what cannot be said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.ai.batch.base import BatchRequest
from airflow.providers.common.ai.batch.output_schema import build_output_spec
from airflow.providers.common.ai.exceptions import (
    BatchProviderNotYetSupportedError,
    LLMBatchInputError,
    LLMBatchLimitExceededError,
    LLMBatchModelMismatchError,
)
from pydantic import BaseModel

from airflow_provider_genai_batch.adapters.common_ai import GeminiBatchAdapter
from airflow_provider_genai_batch.adapters.places import Place
from airflow_provider_genai_batch.adapters.requests import Wording
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.write import request_lines
from tests.adapters.batches import MODELS, ask, the_error
from tests.operators.scenes import MODEL


class Tag(BaseModel):
    """One tag."""

    name: str


def lines(requests: list[BatchRequest], backend: str = "gemini", **settings: Any) -> list[dict[str, Any]]:
    wording = Wording(Backend(backend), **settings)
    given = wording.requests(requests, "0123456789abcdef")
    written = request_lines(given, Backend(backend), Task.GENERATE, MODEL, wording.defaults())
    return [json.loads(line) for _, line in written]


def test_a_request_says_more_than_the_task(backend: str) -> None:
    plain, own = lines(
        [
            {"prompt": "a"},
            {"prompt": "b", "system_prompt": "Be kind.", "max_tokens": 7, "params": {"temperature": 1.0}},
        ],
        backend,
        system_prompt="Be brief.",
        max_tokens=64,
        params={"temperature": 0.2, "top_k": 3},
    )
    assert plain["request"]["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert plain["request"]["generationConfig"] == {"temperature": 0.2, "topK": 3, "maxOutputTokens": 64}
    assert own["request"]["systemInstruction"]["parts"] == [{"text": "Be kind."}]
    assert own["request"]["generationConfig"] == {"temperature": 1.0, "topK": 3, "maxOutputTokens": 7}
    assert plain["key"].endswith("0123456789abcdef-0")


def test_the_schema_is_the_one_that_is_safe_on_batch_endpoints_and_its_references_are_resolved() -> None:
    adapter = GeminiBatchAdapter()
    asked = adapter.build_output_directive(build_output_spec(list[Tag]))["generationConfig"]
    assert asked["responseMimeType"] == "application/json"
    assert "responseJsonSchema" not in asked
    answer = asked["responseSchema"]["properties"]["response"]
    assert answer["items"]["properties"] == {"name": {"title": "Name", "type": "STRING"}}
    assert adapter.build_output_directive(build_output_spec(str)) == {}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"request_params": {"max_output_tokens": 9}}, "Give max_tokens instead"),
        ({"request_params": {"generationConfig": {"maxOutputTokens": 9}}}, "Give max_tokens instead"),
        ({"request_params": {"system_instruction": "x"}}, "Give system_prompt instead"),
        (
            {"request_params": {"response_schema": {"type": "STRING"}}, "output_type": Tag},
            "Give output_type instead",
        ),
        ({"request_params": {"max_completion_tokens": 9}}, "unknown field"),
        (
            {"requests": [{"prompt": "a"}, {"prompt": "b", "params": {"seeed": 1}}]},
            "request 2: unknown field",
        ),
        ({"model_id": "google:gemini-embedding-001"}, "is an embedding model"),
        ({"model_id": f"google-cloud:{MODEL}"}, "is Vertex AI, and connection"),
        ({"output_type": dict[str, int]}, "additionalProperties"),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    gemini: Emulator, tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    error = the_error(ask(tmp_path, **{"requests": ["a"], **settings}))
    assert isinstance(error, LLMBatchInputError)
    assert says in str(error)
    assert not gemini.requests


def test_a_job_has_one_model(gemini: Emulator, tmp_path: Path) -> None:
    other = {"prompt": "b", "model": "google:gemini-2.5-pro"}
    assert isinstance(the_error(ask(tmp_path, ["a", other])), LLMBatchModelMismatchError)
    assert ask(tmp_path, [other]).state == "success"
    assert gemini.jobs[0]["model"].endswith("gemini-2.5-pro")


def test_more_than_one_job_takes_is_refused(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GeminiBatchAdapter, "max_requests", 2)
    assert isinstance(the_error(ask(tmp_path)), LLMBatchLimitExceededError)
    monkeypatch.setattr(GeminiBatchAdapter, "max_requests", 3)
    monkeypatch.setattr(GeminiBatchAdapter, "max_payload_bytes", 300)
    error = the_error(ask(tmp_path))
    assert isinstance(error, LLMBatchLimitExceededError)
    assert "from request 3 of 3 on" in str(error)
    assert not gemini.requests


def test_vertex_needs_a_place_to_stage(
    vertex: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = vertex.connection("vertex")
    del fields["extra"]["staging_uri"]
    monkeypatch.setenv("AIRFLOW_CONN_GENAI_BATCH_DEFAULT", json.dumps(fields))
    assert "staging_uri" in str(the_error(ask(tmp_path, model_id=MODELS["vertex"])))


def test_another_type_of_connection_is_refused(
    gemini: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AI", json.dumps({"conn_type": "pydanticai", "password": "key"}))
    error = the_error(ask(tmp_path, llm_conn_id="ai"))
    assert isinstance(error, BatchProviderNotYetSupportedError)


def test_outside_of_a_task_of_common_ai_nothing_is_submitted() -> None:
    with pytest.raises(ConfigurationError, match="Only a running task of"):
        GeminiBatchAdapter().find_orphaned_batch("0" * 16, "0" * 64, "")


def test_a_batch_id_of_somebody_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not a batch id of this package"):
        Place.of("batch_67890")
