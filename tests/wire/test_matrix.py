"""What runs in a batch is said by one table; what does not is refused before anything is sent."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.client.config import ClientConfig
from airflow_provider_genai_batch.exceptions import InputError, RequestError, UnsupportedError
from airflow_provider_genai_batch.models import BatchDestination, BatchSource
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.task.settings.order import read_order
from airflow_provider_genai_batch.wire.catalog.limits import limits_of
from airflow_provider_genai_batch.wire.catalog.matrix import MATRIX, PLACES, WAYS, Kind, check_places, kind_of
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.catalog.publishers import family_of
from airflow_provider_genai_batch.wire.lines.request import rest_request
from airflow_provider_genai_batch.wire.prompts.embed import takes_text_only

GEMINI, VERTEX = Backend.GEMINI, Backend.VERTEX
LOCATIONS = {"a region": "us-east5", "global": "global", "us or eu": "eu"}
ADDRESSES = {"gs://": "gs://b/in.jsonl", "bq://": "bq://p.d.t"}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("publishers/mistralai/models/mistral-medium-3", "Mistral"),
        ("mistral-small-2503", "Mistral"),
        ("publishers/xai/models/grok-4", "Grok"),
        ("imagen-4.0-generate-001", "Imagen"),
        ("publishers/google/models/veo-3", "Veo"),
        ("multimodalembedding@001", "gemini-embedding-2"),
        ("publishers/google/models/gemma-3-27b-it-maas", "Gemma"),
        ("publishers/acme/models/oracle-1", "'acme'"),
        ("acme/oracle-1", "'acme'"),
        ("publishers/intfloat/models/multilingual-e5-large-instruct-maas", "retired on 2026-10-21"),
        ("publishers/deepseek-ai/models/deepseek-v3.2-maas", "retired on 2026-10-21"),
        ("publishers/openai/models/gpt-oss-20b-maas", "retired on 2026-10-21"),
        ("meta/llama-3.3-70b-instruct-maas", "retired on 2026-10-21"),
        ("publishers/meta/models/llama-3.1-405b-instruct-maas", "not on Google's list of open models"),
        ("gpt-4o", "not on Google's list of open models"),
        ("claude-3-haiku@20240307", "Claude 3 Haiku"),
    ],
)
def test_a_model_without_batch_is_refused_by_name_with_what_to_do(model: str, said: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read_model(model, VERTEX)
    message = str(caught.value)
    assert said in message
    assert "Nothing was sent" in message
    assert "contents" not in message


@pytest.mark.parametrize(
    ("model", "family", "name"),
    [
        ("claude-sonnet-4-6", Family.ANTHROPIC, "publishers/anthropic/models/claude-sonnet-4-6"),
        ("anthropic/claude-sonnet-5", Family.ANTHROPIC, "anthropic/claude-sonnet-5"),
        (
            "projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5",
            Family.ANTHROPIC,
            "projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5",
        ),
        ("gpt-oss-120b-maas", Family.OPENAI, "publishers/openai/models/gpt-oss-120b-maas"),
        (
            "llama-4-scout-17b-16e-instruct-maas",
            Family.OPENAI,
            "publishers/meta/models/llama-4-scout-17b-16e-instruct-maas",
        ),
        ("gemini-2.5-flash", Family.GOOGLE, "gemini-2.5-flash"),
        (
            "projects/p/locations/us-central1/models/12",
            Family.GOOGLE,
            "projects/p/locations/us-central1/models/12",
        ),
    ],
)
def test_the_publisher_decides_the_family_and_bare_names_get_theirs(
    model: str, family: Family, name: str
) -> None:
    assert (family_of(model), read_model(model, VERTEX)) == (family, name)


@pytest.mark.parametrize("model", ["gpt-4o", "llama-2-7b", "claude-3-haiku@20240307", "qwen3"])
def test_nobody_is_sent_to_the_other_service_for_a_model_that_it_does_not_run_either(model: str) -> None:
    told = []
    for backend in (GEMINI, VERTEX):
        with pytest.raises(UnsupportedError) as caught:
            read_model(model, backend)
        told.append(str(caught.value))
    assert "connection" not in told[0]
    assert told[0] == told[1]


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-oss-120b-maas", "models/claude-opus-5"])
def test_a_partners_model_on_the_gemini_api_tells_which_service_runs_it(model: str) -> None:
    with pytest.raises(UnsupportedError, match="Vertex AI runs and the Gemini API does not"):
        read_model(model, GEMINI)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", MATRIX, ids=lambda kind: kind.name)
def test_an_order_is_taken_where_the_table_allows_its_cell_and_refused_elsewhere(
    kind: Kind, way: str, place: str
) -> None:
    came, _, went = way.partition(" to ")
    assert kind_of(read_model(kind.example, VERTEX)) is kind
    config = ClientConfig(VERTEX, project="p", location=LOCATIONS[place])
    src, dest = ADDRESSES[came], ADDRESSES[went]
    if kind.ways[way].allowed and kind.places[place].allowed:
        read_order(config, model=kind.example, src=src, dest=dest)
    else:
        with pytest.raises(UnsupportedError, match="Nothing was sent"):
            read_order(config, model=kind.example, src=src, dest=dest)


def test_every_refusal_of_the_table_says_what_to_do_and_every_kind_where_its_facts_are_from() -> None:
    for kind in MATRIX:
        assert kind.source
        for mark in (*kind.ways.values(), *kind.places.values()):
            assert mark.allowed or ("set " in mark.note or "take " in mark.note or "export " in mark.note)


def test_what_the_documents_leave_open_is_noted() -> None:
    source, dest = BatchSource(gcs_uri=("gs://b/in.jsonl",)), BatchDestination(gcs_uri="gs://b/out/")
    assert not list(check_places("gemini-2.5-flash", source, dest, "us-central1"))
    (note,) = check_places("gemini-2.5-flash", source, dest, "eu")
    assert "the location eu" in note
    (note,) = check_places("publishers/anthropic/models/claude-opus-5", source, dest, "us-east5")
    assert "disagree" in note


def test_the_older_multilingual_model_has_lines_of_bare_texts_and_their_limit() -> None:
    model = "text-multilingual-embedding-002"
    asked = rest_request("guten Tag", backend=VERTEX, task=Task.EMBED, model=model)
    assert asked.request == {"content": "guten Tag"}
    assert takes_text_only(f"publishers/google/models/{model}", VERTEX)
    assert limits_of(VERTEX, Task.EMBED, model).max_requests == 30_000


@pytest.mark.parametrize("size", ["2K", "4K", "512", "4k"])
def test_a_picture_larger_than_vertex_ai_makes_in_a_batch_is_refused(size: str) -> None:
    item = {"contents": "a lake", "config": {"image_config": {"image_size": size}}}
    asked = rest_request(item, backend=GEMINI, task=Task.GENERATE, model="gemini-3.1-flash-image")
    assert asked.request["generationConfig"]["imageConfig"]["imageSize"] == size
    with pytest.raises(RequestError, match="makes pictures of 1K alone"):
        rest_request(item, backend=VERTEX, task=Task.GENERATE, model="gemini-3.1-flash-image")


def test_what_no_service_runs_is_refused_when_the_dag_is_parsed() -> None:
    from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

    for model, src in (
        ("imagen-4.0", ["a"]),
        ("mistralai/mistral-medium-3", ["a"]),
        ("gemini-embedding-001", "bq://p.d.t"),
    ):
        with pytest.raises(InputError, match="Nothing was sent"):
            GenAIBatchOperator(task_id="ask", model=model, src=src)
    GenAIBatchOperator(task_id="ask", model="{{ params.model }}", src=["a"])
