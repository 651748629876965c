"""Spells the calls of `cases`, `jobs` and `refusals` with this package, and says where it means to differ."""

from __future__ import annotations

from typing import Any

from google.genai import types

from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.requests.write import inline_entries
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.parameters.destinations import (
    check_backend,
    default_destination,
    read_config,
)
from airflow_provider_genai_batch.wire.parameters.sources import read_source
from airflow_provider_genai_batch.wire.services import gemini, vertex
from tests.referee import cases, configs, jobs, one_sided, refusals
from tests.referee.cases import Case

_FLASH = "gemini-2.5-flash"


def gemini_request(case: Case) -> tuple[str, Any]:
    """One request of an inline job."""
    return _gemini(_FLASH, [case.build(types)], None, Task.GENERATE)


def gemini_job(case: Case) -> tuple[str, Any]:
    """A whole job."""
    call = case.build(types)
    return _gemini(call["model"], call["src"], call.get("config"), Task.GENERATE)


def gemini_embeddings(case: Case) -> tuple[str, Any]:
    """A whole job of embeddings."""
    call = case.build(types)
    return _gemini(call["model"], call["src"], call.get("config"), Task.EMBED)


def vertex_request(case: Case) -> tuple[str, Any]:
    """One request: on Vertex AI a row holds what ``generateContent`` takes."""
    return "", rest_request(
        case.build(types), backend=Backend.VERTEX, task=Task.GENERATE, model=_FLASH
    ).request


def vertex_embedding(case: Case) -> tuple[str, Any]:
    """One row of a job of embeddings: it holds what ``embedContent`` takes."""
    spelled = rest_request(
        case.build(types), backend=Backend.VERTEX, task=Task.EMBED, model="gemini-embedding-2"
    )
    return "", spelled.request


def vertex_job(case: Case) -> tuple[str, Any]:
    """A whole job."""
    call = case.build(types)
    source, config = read_source(call["src"]), read_config(call.get("config"))
    check_backend(source, config.destination, Backend.VERTEX, webhook=config.webhook)
    destination = config.destination or default_destination(source, "20260101000000_abcde")
    assert destination
    body = vertex.create_body(
        call["model"],
        source,
        destination,
        display_name=config.display_name or "genai_batch_job_20260101000000_abcde",
    )
    return vertex.create("/projects/p1/locations/us-central1", body).url, body


def _gemini(model: str, src: Any, settings: Any, task: Task) -> tuple[str, Any]:
    source, config = read_source(src), read_config(settings)
    check_backend(source, config.destination, Backend.GEMINI)
    entries = None
    if source.inlined_requests is not None:
        entries = [*inline_entries(source.inlined_requests, task, model).entries]
    body = gemini.create_body(
        file_name=source.file_name, entries=entries, display_name=config.display_name, webhook=config.webhook
    )
    return gemini.create("", model, task, body).url, body


KINDS = {
    "gemini request": (
        gemini_request,
        cases.CONTENTS + configs.CONFIGS + one_sided.GEMINI_ONLY,
        refusals.GEMINI_REQUESTS,
    ),
    "vertex request": (
        vertex_request,
        cases.CONTENTS + configs.CONFIGS + one_sided.VERTEX_ONLY,
        refusals.VERTEX_REQUESTS,
    ),
    "gemini job": (gemini_job, jobs.GEMINI_JOBS, refusals.GEMINI_JOBS),
    "gemini embeddings": (gemini_embeddings, jobs.GEMINI_EMBEDDINGS, refusals.GEMINI_EMBEDDINGS),
    "vertex embedding": (vertex_embedding, one_sided.VERTEX_EMBEDDINGS, []),
    "vertex job": (vertex_job, jobs.VERTEX_JOBS, refusals.VERTEX_JOBS),
}
