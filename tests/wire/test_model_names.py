"""A model's name becomes part of a path, so what names no model, or another one, goes nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, UnsupportedError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.services import gemini, vertex

GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX


@pytest.mark.parametrize(
    ("backend", "model", "path"),
    [
        (GEMINI, "gemini-2.5-flash", "models/gemini-2.5-flash"),
        (GEMINI, " gemini-2.5-flash\n", "models/gemini-2.5-flash"),
        (GEMINI, "models/gemini-2.5-flash", "models/gemini-2.5-flash"),
        (GEMINI, "tunedModels/my-model-1x2y", "tunedModels/my-model-1x2y"),
        (VERTEX, "gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash"),
        (VERTEX, "claude-haiku-4-5@20251001", "publishers/anthropic/models/claude-haiku-4-5@20251001"),
        (VERTEX, "meta/llama-4", "publishers/meta/models/llama-4"),
        (VERTEX, "google/gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash"),
        *[
            (VERTEX, name, name)
            for name in (
                "publishers/google/models/gemini-2.5-flash",
                "publishers/anthropic/models/claude-haiku-4-5@20251001",
                "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash",
                "projects/example.com:p/locations/global/models/123@1",
                "projects/p/locations/us-central1/endpoints/55",
            )
        ],
    ],
)
def test_names_as_google_writes_them_are_taken(backend: Backend, model: str, path: str) -> None:
    paths = gemini.model_path if backend is GEMINI else vertex.model_path
    assert paths(read_model(model, backend)) == path


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("", "model is empty"),
        ("  ", "model is empty"),
        ("None", "what a template makes of nothing"),
        ("null", "what a template makes of nothing"),
        (5, "model is 5"),
        (None, "model is None"),
        ("gemini-2.5-flash/../gemini-2.5-pro", "Write gemini-2.5-flash"),
        ("models/../models/gemini-2.5-pro", "Write gemini-2.5-flash"),
        ("..", "Write gemini-2.5-flash"),
        ("gemini..flash", "Write gemini-2.5-flash"),
        ("gemini 2.5 flash", "Write gemini-2.5-flash"),
        ("gemini-2.5-flash?alt=json", "Write gemini-2.5-flash"),
        ("gemini-2.5-flash#x", "Write gemini-2.5-flash"),
        ("gemini-2.5-pro%2Fx", "Write gemini-2.5-flash"),
        ("gemini-2.5\nflash", "Write gemini-2.5-flash"),
        ("gemini-2.5-flash:generateContent", "Write gemini-2.5-flash"),
        ("gemini/gemini-2.5-pro", "Write gemini-2.5-pro."),
        ("vertex_ai/gemini-2.5-pro", "Write gemini-2.5-pro."),
        ("vertex_ai/gemini/gemini-2.5-pro", "Write gemini-2.5-pro."),
        ("openrouter/google/gemini-2.5-pro", "Write gemini-2.5-pro."),
        ("google:gemini-2.5-pro", "Write gemini-2.5-pro."),
        ("google-vertex:gemini-2.5-pro", "Write gemini-2.5-pro."),
    ],
)
def test_what_names_no_model_is_refused_with_what_to_write(backend: Backend, model: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_model(model, backend)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("backend", "model", "said"),
    [
        (GEMINI, "google/gemini-2.5-pro", "Write gemini-2.5-pro."),
        (
            VERTEX,
            "models/gemini-2.5-pro",
            "Write gemini-2.5-pro, or projects/P/locations/L/models/gemini-2.5-pro",
        ),
        (VERTEX, "endpoints/55", "Write projects/P/locations/L/endpoints/55."),
        (VERTEX, "tunedModels/x", "Write x."),
    ],
)
def test_names_of_one_service_alone_are_refused_on_the_other(backend: Backend, model: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_model(model, backend)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "model", ["publishers/google/models/gemini-2.5-pro", "projects/p/locations/l/models/1"]
)
def test_a_name_of_vertex_ai_on_the_gemini_api_tells_what_decides_the_service(model: str) -> None:
    with pytest.raises(ConfigurationError, match='extra has no "project"'):
        read_model(model, GEMINI)


@given(model=st.text("a.-_/:@?#% \n\\é", max_size=12), backend=st.sampled_from(Backend))
def test_no_name_leads_out_of_its_path(model: str, backend: Backend) -> None:
    try:
        name = read_model(model, backend)
    except (InputError, ConfigurationError):
        return
    steps = name.split("/")
    assert not {"", ".", ".."} & set(steps)
    assert not set("?#% \n\\é") & set(name)
    assert ":" not in steps[-1]


@pytest.mark.parametrize("model", ["gpt-4o", "llama-3.1-70b"])
@pytest.mark.parametrize("backend", Backend)
def test_a_model_that_neither_service_runs_is_not_promised_on_the_other(model: str, backend: Backend) -> None:
    with pytest.raises(UnsupportedError, match=f"{model} is not on Google's list of open models") as caught:
        read_model(model, backend)
    assert "which Vertex AI runs" not in str(caught.value)
