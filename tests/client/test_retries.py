"""Reads are repeated; a create is sent exactly once, whatever happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.emulator import Emulator, Fault
from airflow_provider_genai_batch.exceptions import (
    AuthenticationError,
    BadRequest,
    CallError,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    ServerError,
    TransportError,
    UnreadableAnswer,
)
from airflow_provider_genai_batch.models import BatchJob
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from tests.client.places import MODEL, Either, gemini_config

_HELP = {"@type": "type.googleapis.com/google.rpc.Help", "links": []}


def _looks(place: Either) -> int:
    return sum(1 for one in place.emulator.requests if one["method"] == f"{place.service}.get")


@pytest.mark.parametrize(
    "fault",
    [
        Fault.drop(times=3),
        Fault.lost_reply(times=3),
        Fault.unreadable(times=3),
        Fault.truncated(times=3),
        Fault.html(503, times=3),
        Fault.error(500, times=3),
        Fault.error(408, times=3),
        Fault.error(499, times=3),
        Fault.error(429, times=3),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_look_outlives_trouble_that_passes(either: Either, naps: list[float], fault: Fault) -> None:
    job = either.create()
    either.emulator.faults.add(f"{either.service}.get", fault)
    assert either.client.get(job.name).name == job.name
    assert _looks(either) == 4
    assert [0.5 <= naps[0] <= 1.0, 1.0 <= naps[1] <= 2.0, 2.0 <= naps[2] <= 4.0] == [True] * 3


def test_a_server_that_speaks_plain_http_is_told_from_one_that_is_away(
    emulator: Emulator, naps: list[float]
) -> None:
    config = replace(gemini_config(emulator), host=emulator.url.replace("http://", "https://"))
    with GenAIBatchClient(config) as client, pytest.raises(TransportError, match="begin Host with http://"):
        client.get("batches/any")


def test_waits_are_jittered(on_gemini: Either, naps: list[float]) -> None:
    job = on_gemini.create()
    for _ in range(4):
        on_gemini.emulator.faults.add("batches.get", Fault.error(503))
        on_gemini.client.get(job.name)
    assert len(set(naps)) == 4


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [
        (Fault.error(429, retry_after=7), 7.0, 8.0),
        (Fault.error(429, retry_delay="28s"), 28.0, 29.0),
        (Fault.error(503, retry_after=30, retry_delay="5s"), 30.0, 31.0),
        (Fault.error(429, details=[_HELP]), 0.5, 1.0),
    ],
    ids=["Retry-After", "RetryInfo", "both", "only Help"],
)
def test_a_hint_decides_how_long_is_waited(
    on_gemini: Either, naps: list[float], fault: Fault, least: float, most: float
) -> None:
    job = on_gemini.create()
    on_gemini.emulator.faults.add("batches.get", fault)
    on_gemini.client.get(job.name)
    (nap,) = naps
    assert least <= nap <= most


def test_a_hint_of_an_hour_is_left_to_whoever_can_wait(on_gemini: Either, naps: list[float]) -> None:
    job = on_gemini.create()
    on_gemini.emulator.faults.add("batches.get", Fault.error(429, retry_after=3600))
    with pytest.raises(QuotaExceeded) as caught:
        on_gemini.client.get(job.name)
    assert caught.value.retry_after == 3600
    assert naps == []


def test_a_look_gives_up_in_the_end(either: Either, naps: list[float]) -> None:
    job = either.create()
    either.emulator.faults.add(f"{either.service}.get", Fault.error(503, "overloaded", times=TRIES))
    with pytest.raises(ServerError, match="overloaded"):
        either.client.get(job.name)
    assert _looks(either) == TRIES
    assert len(naps) == TRIES - 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadRequest), (401, AuthenticationError), (403, PermissionDenied), (404, NotFound)],
)
def test_a_refusal_for_good_is_not_repeated(
    on_gemini: Either, naps: list[float], status: int, kind: type[Exception]
) -> None:
    job = on_gemini.create()
    on_gemini.emulator.faults.add("batches.get", Fault.error(status))
    with pytest.raises(kind):
        on_gemini.client.get(job.name)
    assert (_looks(on_gemini), naps) == (1, [])


@pytest.mark.parametrize(
    ("fault", "kind", "created"),
    [
        (Fault.drop(), TransportError, 0),
        (Fault.lost_reply(), TransportError, 1),
        (Fault.truncated(), TransportError, 1),
        (Fault.unreadable(), UnreadableAnswer, 1),
        (Fault.error(500), ServerError, 0),
        (Fault.error(503, acted=True), ServerError, 1),
        (Fault.html(502, acted=True), ServerError, 1),
        (Fault.error(429, retry_after=1), QuotaExceeded, 0),
        (Fault.error(400), BadRequest, 0),
        (Fault.error(403), PermissionDenied, 0),
    ],
    ids=lambda value: value.kind + str(value.status) if isinstance(value, Fault) else "",
)
def test_a_create_is_sent_once_whatever_fails(
    either: Either, naps: list[float], fault: Fault, kind: type[CallError], created: int
) -> None:
    either.emulator.faults.add(f"{either.service}.create", fault)
    with pytest.raises(kind) as caught:
        either.create()
    assert caught.value.method == f"{either.service}.create"
    assert either.posts() == 1
    assert len(either.emulator.jobs) == created
    assert naps == []


def test_a_created_embedding_job_is_sent_once_too(emulator: Emulator, gem: Any) -> None:
    emulator.faults.add("batches.createEmbeddings", Fault.lost_reply())
    with pytest.raises(TransportError):
        gem.create("gemini-embedding-001", ["hi"])
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'"x"', b'{"name": ""}', b"[" * 100_000])
def test_an_answer_that_names_no_job_leaves_the_create_open(either: Either, body: bytes) -> None:
    from airflow_provider_genai_batch.client.job_params import job_spec
    from airflow_provider_genai_batch.client.transport.retries import send_with_retries

    source: Any = "gs://b/in.jsonl" if either.vertex else ["hi"]
    spec = job_spec(either.client.client.config, MODEL, source)
    flow = send_with_retries(either.client.calls.create(spec))
    next(flow)
    with pytest.raises(UnreadableAnswer):
        flow.send(HttpAnswer(200, {}, body))


def test_a_server_that_is_not_there_is_trouble_that_passes(connect: Any, naps: list[float]) -> None:
    with Emulator() as emulator:
        config = gemini_config(emulator)
    client = connect(config)
    with pytest.raises(TransportError):
        client.get("batches/a")
    assert len(naps) == TRIES - 1
    with pytest.raises(TransportError):
        client.create(MODEL, ["hi"])
    assert len(naps) == TRIES - 1


def test_an_expired_token_is_renewed_once_also_for_a_create(on_vertex: Either, naps: list[float]) -> None:
    on_vertex.create()
    on_vertex.emulator.clock.advance(4000)  # the service's clock: here the token still looks good
    job: BatchJob = on_vertex.create()
    methods = [one["method"] for one in on_vertex.emulator.requests]
    create = "batchPredictionJobs.create"
    assert methods == ["oauth.token", create, create, "oauth.token", create]
    assert len(on_vertex.emulator.jobs) == 2
    assert on_vertex.emulator.jobs[-1]["name"] == job.name
    assert naps == []


def test_a_token_that_is_refused_again_is_not_renewed_for_ever(on_vertex: Either) -> None:
    job = on_vertex.create()
    on_vertex.emulator.faults.add("batchPredictionJobs.get", Fault.error(401, times=2))
    with pytest.raises(AuthenticationError):
        on_vertex.client.get(job.name)
    assert _looks(on_vertex) == 2


def test_trouble_between_two_refused_tokens_does_not_start_the_count_again(on_vertex: Either) -> None:
    job = on_vertex.create()
    for status in (401, 503, 401):
        on_vertex.emulator.faults.add("batchPredictionJobs.get", Fault.error(status))
    with pytest.raises(AuthenticationError):
        on_vertex.client.get(job.name)
    assert _looks(on_vertex) == 3


def test_a_key_that_is_refused_with_401_is_not_sent_again(on_gemini: Either) -> None:
    on_gemini.emulator.faults.add("batches.create", Fault.error(401))
    with pytest.raises(AuthenticationError):
        on_gemini.create()
    assert on_gemini.posts() == 1


def test_a_bad_key_is_said_to_be_one(emulator: Emulator, connect: Any, naps: list[float]) -> None:
    client = connect(gemini_config(emulator, api_key="bad-key"))
    with pytest.raises(AuthenticationError) as caught:
        client.create(MODEL, ["hi"])
    error = caught.value
    assert (error.code, error.status, error.reason) == (400, "INVALID_ARGUMENT", "API_KEY_INVALID")
    assert "Password" in str(error)
    assert "bad-key" not in str(error)
    assert len(emulator.requests) == 1
