"""Names of jobs, files and operations: where they lead, and which lead nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.client import ClientConfig
from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import InputError, UnreadableAnswer
from airflow_provider_genai_batch.models.base import Backend
from tests.client.places import vertex_config


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("europe-west4", "https://europe-west4-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_a_full_name_keeps_its_own_project_location_and_host(location: str, host: str) -> None:
    calls = Calls(ClientConfig(Backend.VERTEX, project="here", location="us-central1"))
    name = f"projects/77/locations/{location}/batchPredictionJobs/5"
    assert calls.look(name).request.url == f"{host}/v1/{name}"
    assert calls.cancel(name).request.url == f"{host}/v1/{name}:cancel"
    assert calls.delete(name).request.url == f"{host}/v1/{name}"
    assert calls.look("5").request.url == (
        "https://us-central1-aiplatform.googleapis.com"
        "/v1/projects/here/locations/us-central1/batchPredictionJobs/5"
    )


def test_a_path_prefix_of_the_host_is_kept(emulator: Emulator) -> None:
    calls = Calls(vertex_config(emulator, host="https://proxy.example/google/"))
    assert calls.look("5").request.url.startswith("https://proxy.example/google/v1/projects/")


@pytest.mark.parametrize(
    "name",
    [
        "batches/abc",
        "files/abc",
        "",
        "abc",
        "projects/p/locations/l/batchPredictionJobs/x",
        "projects/p/locations/evil.example#/batchPredictionJobs/1",
        "projects/p/locations/evil.example?/batchPredictionJobs/1",
        "projects/p/locations/a@evil.example:1#/batchPredictionJobs/1",
        "projects/../locations/l/batchPredictionJobs/1?x=",
        "1\n",
        "٣",
    ],
)
def test_what_is_no_vertex_job_is_refused_before_it_is_sent(emulator: Emulator, name: str) -> None:
    calls = Calls(vertex_config(emulator))
    for call in (calls.look, calls.cancel, calls.delete):
        with pytest.raises(InputError, match="no name of a job of Vertex AI"):
            call(name)


@pytest.mark.parametrize(
    "name",
    [
        "projects/p/locations/l/batchPredictionJobs/1",
        "123",
        "batches/",
        "batches/a/b",
        "batches/a?key=1",
        "batches/a#b",
        "batches/a b",
        "batches/a\n",
    ],
)
def test_what_is_no_gemini_job_is_refused_before_it_is_sent(emulator: Emulator, gem: Any, name: str) -> None:
    for call in (gem.get, gem.cancel, gem.delete, gem.rows):
        with pytest.raises(InputError, match="no name of a job of the Gemini API"):
            call(name)
    assert emulator.requests == []


def test_a_name_that_is_no_file_is_refused(gem: Any) -> None:
    for call in (gem.calls.get_file, gem.calls.delete_file, gem.calls.download_file):
        with pytest.raises(InputError, match="no name of a file"):
            call("files/a?x")


def test_an_operation_of_a_strange_name_is_not_followed(emulator: Emulator) -> None:
    calls = Calls(vertex_config(emulator))
    with pytest.raises(UnreadableAnswer, match="not the name of an operation"):
        calls.operation("projects/1/locations/evil.example#/operations/1")


@pytest.mark.parametrize("backend", [Backend.GEMINI, Backend.VERTEX])
@pytest.mark.parametrize("name", [None, 5])
def test_what_is_no_text_is_no_name(backend: Backend, name: Any) -> None:
    calls = Calls(ClientConfig(backend, project="here"))
    for call in (calls.look, calls.cancel, calls.delete):
        with pytest.raises(InputError, match="is no name of a job: give a text"):
            call(name)
