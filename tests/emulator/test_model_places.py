"""Which models batch runs on Vertex AI, from and to where, and in which locations."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Switches
from tests.emulator.bodies import CLAUDE, GPT, LLAMA
from tests.emulator.talk import PROJECT, Vertex, refused

GLOBAL, CENTRAL, EAST5, EU, TOKYO = "global", "us-central1", "us-east5", "eu", "asia-northeast1"
NEWER = "publishers/anthropic/models/claude-sonnet-5"
TUNED = f"projects/{PROJECT}/locations/us-central1/models/55"
IN, OUT = "gs://emulator-staging/none.jsonl", "gs://emulator-staging/none"


def answer(jobs: Vertex, model: str, location: str, source: str = IN, dest: str = OUT) -> int:
    reply = jobs.post(jobs.body(source, dest, model=model), f"/v1/projects/{PROJECT}/locations/{location}")
    if reply.status_code != 200:
        refused(reply)
    return reply.status_code


@pytest.mark.parametrize(
    ("model", "location", "code"),
    [
        ("gemini-2.5-flash", GLOBAL, 200),
        ("gemini-2.5-flash", TOKYO, 200),
        (CLAUDE, EAST5, 200),
        (CLAUDE, CENTRAL, 200),
        (CLAUDE, GLOBAL, 404),
        (NEWER, EU, 200),
        (NEWER, EAST5, 200),
        ("publishers/anthropic/models/claude-3-haiku@20240307", EAST5, 404),
        ("publishers/anthropic/models/no-such", EAST5, 404),
        (LLAMA, EAST5, 200),
        (LLAMA, GLOBAL, 404),
        (GPT, CENTRAL, 200),
        (GPT, GLOBAL, 404),
        ("publishers/openai/models/gpt-oss-20b-maas", CENTRAL, 404),
        ("publishers/meta/models/llama-3.3-70b-instruct-maas", CENTRAL, 404),
        ("publishers/deepseek-ai/models/deepseek-v3.2-maas", CENTRAL, 404),
        ("publishers/qwen/models/qwen3-235b-a22b-instruct-2507-maas", CENTRAL, 404),
        ("publishers/intfloat/models/multilingual-e5-large-instruct-maas", CENTRAL, 404),
        ("publishers/mistralai/models/mistral-medium-3", CENTRAL, 404),
        ("publishers/xai/models/grok-4", CENTRAL, 404),
        ("publishers/tunedModels/models/x", CENTRAL, 404),
        ("tunedModels/x", CENTRAL, 404),
        ("imagen-4.0-generate-001", CENTRAL, 404),
        ("veo-3.0-generate-001", CENTRAL, 404),
        ("gemma-3-27b-it", CENTRAL, 404),
        ("multimodalembedding@001", CENTRAL, 404),
        (TUNED, CENTRAL, 200),
        (TUNED, GLOBAL, 404),
        ("gemini-3.1-flash-image", GLOBAL, 200),
        ("gemini-3.1-flash-image", EU, 200),
        ("gemini-3.1-flash-image", CENTRAL, 404),
        ("gemini-2.5-flash-image", CENTRAL, 200),
        ("gemini-2.5-flash-preview-tts", CENTRAL, 200),
        ("gemini-embedding-001", CENTRAL, 200),
        ("gemini-embedding-001", GLOBAL, 200),
        ("gemini-embedding-001", TOKYO, 404),
        ("gemini-embedding-2", GLOBAL, 200),
        ("text-embedding-005", TOKYO, 200),
        ("text-multilingual-embedding-002", CENTRAL, 200),
    ],
)
def test_a_model_is_found_where_documents_do_not_rule_it_out(
    jobs: Vertex, model: str, location: str, code: int
):
    assert answer(jobs, model if "/" in model else f"publishers/google/models/{model}", location) == code


@pytest.mark.parametrize(
    ("model", "location", "code"),
    [(CLAUDE, EAST5, 200), (CLAUDE, CENTRAL, 404), (NEWER, EAST5, 404), (NEWER, EU, 200)],
)
def test_claude_may_be_where_its_cards_say_only(
    jobs: Vertex, vertex_emulator: Emulator, model: str, location: str, code: int
):
    vertex_emulator.switches = Switches(card_regions=True)
    assert answer(jobs, model, location) == code


def test_speech_may_have_no_batch(jobs: Vertex, vertex_emulator: Emulator):
    vertex_emulator.switches = Switches(speech=False)
    assert answer(jobs, "publishers/google/models/gemini-2.5-flash-preview-tts", CENTRAL) == 404


@pytest.mark.parametrize(
    ("source", "dest"), [("bq://p.d.t", OUT), (IN, "bq://p.d.out"), ("bq://p.d.t", "bq://p.d.o")]
)
def test_gemini_embeddings_have_no_tables(jobs: Vertex, source: str, dest: str):
    body = jobs.body(source, dest, model="gemini-embedding-001")
    reply = jobs.post(body)
    assert refused(reply) == (400, "INVALID_ARGUMENT")
    assert "BigQuery is not supported" in reply.text


@pytest.mark.parametrize(
    ("model", "code"), [(CLAUDE, 200), ("publishers/google/models/gemini-2.5-flash", 400)]
)
def test_an_account_of_ones_own_is_refused_where_a_page_says_so(jobs: Vertex, model: str, code: int):
    body = {**jobs.body(IN, OUT, model=model), "serviceAccount": "a@b.iam.gserviceaccount.com"}
    assert jobs.post(body, f"/v1/projects/{PROJECT}/locations/{EAST5}").status_code == code
