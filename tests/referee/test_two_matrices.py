"""What runs in a batch on Vertex AI, read twice: the product's table and the emulator's rules lie side by side."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.switches import Switches
from airflow_provider_genai_batch.emulator.vertex.create import checked
from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, UnsupportedError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.catalog.matrix import MATRIX, check_places
from airflow_provider_genai_batch.wire.catalog.model_names import read_model

LOCATIONS = ("us-central1", "us-east5", "asia-northeast1", "global", "us", "eu")
SOURCES = {"gs": "gs://b/in.jsonl", "bq": "bq://p.d.t"}
DESTINATIONS = {"gs": "gs://b/out", "bq": "bq://p.d.o"}

_NOT_ON_THE_LIST = (
    "Google's page lists seven regions. The product keeps no list of regions and lets the service answer, which costs "
    "nothing; the emulator has the list"
)
_GLOBAL_IS_SILENT = (
    "no page speaks of global for it: the product takes the list of regions for all there is, as it may; the emulator "
    "refuses what a page refuses"
)
EXPLAINED = {
    ("gemini-embedding-001", "gs", "gs", "us-east5"): _NOT_ON_THE_LIST,
    ("gemini-embedding-001", "gs", "gs", "asia-northeast1"): _NOT_ON_THE_LIST,
    ("gemini-embedding-001", "gs", "gs", "global"): _GLOBAL_IS_SILENT,
} | {
    ("text-embedding, text-multilingual-embedding", source, dest, "global"): _GLOBAL_IS_SILENT
    for source in SOURCES
    for dest in DESTINATIONS
}
"""Cells in which one takes what the other refuses, and why both may."""

WITHOUT_BATCH = (
    "imagen-4.0-generate-001",
    "veo-3.0-generate-001",
    "multimodalembedding@001",
    "gemma-3-27b-it",
    "publishers/mistralai/models/mistral-medium-3",
    "publishers/xai/models/grok-4",
    "publishers/deepseek-ai/models/deepseek-v3.2-maas",
    "publishers/qwen/models/qwen3-235b-a22b-instruct-2507-maas",
    "publishers/meta/models/llama-3.3-70b-instruct-maas",
    "publishers/openai/models/gpt-oss-20b-maas",
    "publishers/intfloat/models/multilingual-e5-large-instruct-maas",
    "publishers/ai21/models/jamba-1.5-large",
    "publishers/nobody/models/nothing",
    "publishers/anthropic/models/claude-3-haiku@20240307",
    "tunedModels/x",
)


def sent(model: str, source: str, dest: str, location: str) -> bool:
    """Whether the product sends a job."""
    src = (
        BatchSource(gcs_uri=[SOURCES[source]])
        if source == "gs"
        else BatchSource(bigquery_uri=SOURCES[source])
    )
    to = DESTINATIONS[dest]
    destination = BatchDestination(gcs_uri=to) if dest == "gs" else BatchDestination(bigquery_uri=to)
    try:
        list(check_places(read_model(model, Backend.VERTEX), src, destination, location))
    except (UnsupportedError, InputError, ConfigurationError):
        return False
    return True


def created(model: str, source: str, dest: str, location: str) -> bool:
    """Whether the emulator creates it."""
    body = {
        "displayName": "x",
        "model": model if "/" in model else f"publishers/google/models/{model}",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [SOURCES[source]]}}
        if source == "gs"
        else {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": SOURCES[source]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": DESTINATIONS[dest]},
        }
        if dest == "gs"
        else {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": DESTINATIONS[dest]}},
    }
    try:
        checked(body, location, Switches())
    except ApiError:
        return False
    return True


def test_both_take_and_refuse_the_same_cells_but_for_explained_ones() -> None:
    cells = [
        (kind, source, dest, location)
        for kind in MATRIX
        for source in SOURCES
        for dest in DESTINATIONS
        for location in LOCATIONS
    ]
    different = {
        (kind.name, source, dest, location)
        for kind, source, dest, location in cells
        if sent(kind.example, source, dest, location) != created(kind.example, source, dest, location)
    }
    assert different == set(EXPLAINED)
    assert len(cells) == len(MATRIX) * 24


@pytest.mark.parametrize("model", WITHOUT_BATCH)
def test_both_refuse_models_without_batch(model: str) -> None:
    assert not created(model, "gs", "gs", "us-east5")
    assert not sent(model, "gs", "gs", "us-east5")
