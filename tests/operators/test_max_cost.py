"""`max_cost`: requests that may cost more are refused before anything is uploaded or paid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.exceptions import ConfigurationError, CostLimitExceeded, TooManyFailedRows
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import die_after_submit
from tests.operators.scenes import MODEL, client, without_price_list

BACKENDS = pytest.mark.parametrize("backend", ["gemini", "vertex"])
EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
TEXT = "abcdefgh" * 50
"""100 tokens."""
TEXTS = [TEXT] * 10
SHORT = {"max_output_tokens": 40}
COST = 10 * (100 * 0.15 + 40 * 1.25) / 1_000_000
"""Of `TEXTS` with `SHORT` answers, at the batch prices of the model."""


class Answer(BaseModel):
    good: bool


@pytest.fixture
def service(request: pytest.FixtureRequest, backend: str) -> Emulator:
    """Give the emulator of a backend, the default connection set."""
    return request.getfixturevalue(backend)


def ask(service: Emulator, src: Any = TEXTS, *, max_cost: Any, **settings: Any) -> Ran:
    if service.storage is not None:
        settings = {"dest": f"gs://emulator-staging/{uuid4().hex}/", **settings}
    settings = {"model": MODEL, "poll_interval": 0.05, "retry_delay": 0, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", src=src, max_cost=max_cost, **settings))


def jsonl(folder: Path) -> str:
    path = folder / "in.jsonl"
    lines = [json.dumps({"request": {"contents": [{"parts": [{"text": text}]}]}}) for text in TEXTS]
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


def table(folder: Path) -> str:
    path = folder / "in.csv"
    path.write_text("text\n" + "".join(f"{text}\n" for text in TEXTS))
    return str(path)


def uploads(service: Emulator) -> int:
    """Count what is in Cloud Storage and what was sent to the Files API."""
    found = sum("/upload/" in call["path"] for call in service.requests)
    if service.storage is None:
        return found
    with client() as reader:
        objects, _ = reader.perform(reader.calls.list_objects("gs://emulator-staging/"))
    return found + len(objects)


SOURCES = {
    "a list": lambda _: {"src": TEXTS},
    "a table in Python": lambda _: {"src": [{"text": text} for text in TEXTS], "prompt": "{text}"},
    "a file": lambda folder: {"src": jsonl(folder)},
    "a table": lambda folder: {"src": table(folder), "prompt": "{text}"},
}


@BACKENDS
@pytest.mark.parametrize("source", SOURCES)
def test_what_may_cost_more_is_refused_before_it_is_uploaded(
    service: Emulator, tmp_path: Path, source: str
) -> None:
    given = SOURCES[source](tmp_path)
    before = uploads(service)
    ran = ask(service, **given, request_defaults=SHORT, max_cost=COST * 0.99)
    (refusal,) = ran.errors
    assert isinstance(refusal, CostLimitExceeded)
    assert refusal.expected == pytest.approx(COST)
    assert (refusal.requests, refusal.spent) == (10, 0)
    assert not service.jobs
    assert uploads(service) == before


@BACKENDS
@pytest.mark.parametrize("source", SOURCES)
def test_what_may_cost_as_much_is_asked(service: Emulator, tmp_path: Path, source: str) -> None:
    given = SOURCES[source](tmp_path)
    before = uploads(service)
    ran = ask(service, **given, request_defaults=SHORT, max_cost=COST * 1.01)
    assert ran.state == "success", ran.errors
    assert len(service.jobs) == 1
    assert (uploads(service) > before) == (source != "a list" or service.storage is not None)


def test_the_refusal_shows_its_sums_and_what_to_do(gemini: Emulator) -> None:
    (refusal,) = ask(gemini, max_cost=0.001).errors
    said = str(refusal)
    for part in (
        "10 requests: input 1000 tokens (bytes of text / 4) at 0.15",
        "output up to 655360 tokens",
        "65536, the models' own limit, for 10 requests without it",
        "batch prices for gemini-2.5-flash of genai-prices",
        "nothing is billed for them",
        "The next attempt refuses them too",
        "max_output_tokens",
    ):
        assert part in said


def test_pictures_are_said_to_be_not_counted(gemini: Emulator) -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    src = [{"contents": [{"parts": [{"text": TEXT}, picture]}], "config": SHORT}]
    (refusal,) = ask(gemini, src, max_cost=1e-9).errors
    assert "1 files and pictures are not counted" in str(refusal)


@BACKENDS
def test_pieces_of_a_large_input_are_counted_together_before_the_first_is_submitted(
    service: Emulator,
) -> None:
    ran = ask(service, max_requests_per_job=3, request_defaults=SHORT, max_cost=COST * 0.9)
    assert isinstance(ran.errors[0], CostLimitExceeded)
    assert not service.jobs
    assert (
        ask(service, max_requests_per_job=3, request_defaults=SHORT, max_cost=COST * 1.1).state == "success"
    )
    assert len(service.jobs) == 4


@BACKENDS
@EVERY_WAY
def test_what_earlier_rounds_have_cost_counts(service: Emulator, deferrable: bool) -> None:
    service.script(JobScript(answers={1: "no", 2: "no", 3: "no", 4: "no", 5: "no"}))
    settings = {
        "output_type": Answer,
        "retry_failed_rows": 1,
        "request_defaults": SHORT,
        "deferrable": deferrable,
    }
    ran = ask(service, max_cost=COST * 1.3, **settings)  # its type is sent with each request, and read
    (refusal,) = ran.errors
    assert isinstance(refusal, CostLimitExceeded)
    assert len(service.jobs) == 1
    assert refusal.requests == 5
    assert refusal.spent > 0
    assert refusal.spent + refusal.expected > COST * 1.3
    assert "are paid for with" in str(refusal)


@BACKENDS
@EVERY_WAY
def test_a_further_round_that_is_within_the_limit_is_asked(service: Emulator, deferrable: bool) -> None:
    service.script(JobScript(row_errors={1: 13}))
    settings = {"retry_failed_rows": 1, "request_defaults": SHORT, "deferrable": deferrable}
    ran = ask(service, max_cost=COST * 5, **settings)
    assert ran.state == "success", ran.errors
    assert len(service.jobs) == 2


def test_the_attempt_after_is_held_to_the_limit_with_what_was_paid_before(gemini: Emulator) -> None:
    gemini.script(JobScript(answers=dict.fromkeys(range(1, 6), "no")))
    ran = ask(gemini, max_cost=COST * 1.3, output_type=Answer, request_defaults=SHORT, retries=1)
    assert [type(error) for error in ran.errors] == [TooManyFailedRows, CostLimitExceeded]
    assert len(gemini.jobs) == 1


def test_a_job_that_was_paid_for_is_reattached_whatever_the_limit(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dearer(GenAIBatchOperator):
        def __setattr__(self, name: str, value: Any) -> None:
            if name != "max_cost":  # kept by the class, so that it can change between attempts
                super().__setattr__(name, value)

    monkeypatch.setattr(Dearer, "max_cost", 1.0, raising=False)
    attempts = die_after_submit(monkeypatch, lambda: monkeypatch.setattr(Dearer, "max_cost", 1e-9))
    ran = run_dag(
        lambda: Dearer(
            task_id="ask",
            model=MODEL,
            src=TEXTS,
            request_defaults=SHORT,
            poll_interval=0.05,
            retries=1,
            retry_delay=0,
        )
    )
    assert ran.state == "success", ran.errors
    assert len(gemini.jobs) == 1
    assert attempts[0] == attempts[1]


@pytest.mark.parametrize("source", ["bq://project.dataset.table", "files/abc"])
def test_requests_that_nobody_here_reads_are_refused(request: pytest.FixtureRequest, source: str) -> None:
    service = request.getfixturevalue("vertex" if source.startswith("bq") else "gemini")
    settings = {"dest": "bq://project.dataset.out"} if source.startswith("bq") else {}
    (refusal,) = ask(service, source, max_cost=5, **settings).errors
    assert isinstance(refusal, ConfigurationError)
    assert "max_cost=5 cannot be checked" in str(refusal)
    assert source in str(refusal)
    assert not service.requests


def test_objects_in_cloud_storage_are_counted_as_they_are_checked(vertex: Emulator, tmp_path: Path) -> None:
    uri = f"gs://emulator-staging/{uuid4().hex}/in.jsonl"
    with client() as service:
        service.upload(Path(jsonl(tmp_path)), uri)
    (refusal,) = ask(vertex, uri, max_cost=0.001).errors
    assert isinstance(refusal, CostLimitExceeded)
    assert refusal.requests == 10


def test_a_model_without_a_price_is_refused(gemini: Emulator) -> None:
    (refusal,) = ask(gemini, max_cost=5, model="gemini-9-flash").errors
    assert isinstance(refusal, ConfigurationError)
    assert "does not have gemini-9-flash" in str(refusal)
    assert not gemini.requests


def test_without_a_price_list_the_limit_is_refused_and_not_ignored(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_price_list(monkeypatch)
    (refusal,) = ask(gemini, max_cost=5).errors
    assert isinstance(refusal, ConfigurationError)
    assert "pip install 'airflow-provider-genai-batch[prices]'" in str(refusal)
    assert not gemini.requests


@pytest.mark.parametrize("value", [0, -1, "5", float("nan"), float("inf"), True])
def test_what_is_no_amount_is_refused(gemini: Emulator, value: Any) -> None:
    (refusal,) = ask(gemini, max_cost=value).errors
    assert isinstance(refusal, ConfigurationError)
    assert "max_cost is" in str(refusal)


def test_embeddings_are_counted_without_answers(gemini: Emulator) -> None:
    (refusal,) = ask(gemini, max_cost=1e-6, model="gemini-embedding-001").errors
    assert isinstance(refusal, CostLimitExceeded)
    assert refusal.expected == pytest.approx(1000 * 0.075 / 1_000_000)
