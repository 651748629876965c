"""Calls that answer at once: tiers, the shapes of refusals, embeddings and counts, on both services."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

from airflow_provider_genai_batch.emulator import (
    Capacity,
    Emulator,
    Fault,
    JobScript,
    Lifecycle,
    RowError,
    VirtualClock,
)
from tests.emulator.talk import PROJECT, Gemini, Vertex, good, question, refused

FLEX_ON_VERTEX = {"X-Vertex-AI-LLM-Shared-Request-Type": "flex"}


@pytest.fixture
def emulator_settings() -> dict[str, Any]:
    """Stand the clock still at a full minute, where a day of California is nine hours old."""
    return {"clock": VirtualClock(datetime(2026, 11, 28, 17, 0, tzinfo=timezone.utc))}


@pytest.fixture
def vertex(emulator: Emulator) -> Iterator[Vertex]:
    with Vertex(emulator.url) as client:
        yield client


def ask(
    api: Gemini, text: str = "hi", *, model: str = "gemini-2.5-flash", headers: Any = None, **more: Any
) -> httpx.Response:
    body = question(text, **more)
    return api.http.post(f"/v1beta/models/{model}:generateContent", json=body, headers=headers)


def ask_vertex(
    vertex: Vertex,
    text: str = "hi",
    *,
    location: str = "global",
    model: str = "gemini-3.5-flash",
    headers: Any = None,
    **more: Any,
) -> httpx.Response:
    path = f"/v1/projects/{PROJECT}/locations/{location}/publishers/google/models/{model}:generateContent"
    return vertex.http.post(path, json=question(text, **more), headers=headers)


def details(reply: httpx.Response) -> dict[str, Any]:
    found = reply.json()["error"].get("details", [])
    return {one["@type"].rpartition(".")[2]: one for one in found}


@pytest.mark.parametrize(
    ("more", "tier"),
    [({}, "standard"), ({"serviceTier": "flex"}, "flex"), ({"service_tier": "flex"}, "flex")],
)
def test_gemini_serves_the_tier_that_the_body_names_and_says_so_twice(
    api: Gemini, more: dict[str, str], tier: str
):
    reply = ask(api, **more)
    assert good(reply)["candidates"][0]["content"]["parts"][0]["text"] == "Answer to: hi"
    assert (reply.json()["usageMetadata"]["serviceTier"], reply.headers["x-gemini-service-tier"]) == (
        tier,
        tier,
    )


@pytest.mark.parametrize(
    ("model", "tier"),
    [("gemini-2.5-flash", "FLEX"), ("gemini-2.0-flash", "flex"), ("gemini-2.5-flash", "fast")],
)
def test_gemini_refuses_a_tier_in_capitals_and_one_that_the_model_has_not(api: Gemini, model: str, tier: str):
    assert refused(ask(api, model=model, serviceTier=tier)) == (400, "INVALID_ARGUMENT")


def test_vertex_goes_by_headers_on_global_and_passes_over_them_in_a_region(vertex: Vertex):
    plain, flex = ask_vertex(vertex), ask_vertex(vertex, headers=FLEX_ON_VERTEX)
    regional = ask_vertex(vertex, headers=FLEX_ON_VERTEX, location="us-central1")
    kinds = [good(one)["usageMetadata"]["trafficType"] for one in (plain, flex, regional)]
    assert kinds == ["ON_DEMAND", "ON_DEMAND_FLEX", "ON_DEMAND"]
    without = ask_vertex(vertex, headers=FLEX_ON_VERTEX, model="gemini-2.5-flash")
    assert refused(without) == (400, "INVALID_ARGUMENT")


def test_vertex_refuses_a_tier_in_the_body_unless_it_is_to_pass_over_it(vertex: Vertex, emulator: Emulator):
    assert refused(ask_vertex(vertex, serviceTier="flex"))[0] == 400
    emulator.capacity = Capacity(tier_on_vertex=True)
    assert good(ask_vertex(vertex, serviceTier="flex"))["usageMetadata"]["trafficType"] == "ON_DEMAND"


def test_a_minute_of_tokens_is_refused_with_its_limit_and_its_wait_and_the_next_minute_is_free(
    api: Gemini, emulator: Emulator
):
    emulator.capacity = Capacity(minute_tokens=10)
    assert ask(api, "x" * 36).status_code == 200
    emulator.clock.advance(14.25)
    reply = ask(api, "x" * 36)
    assert refused(reply) == (429, "RESOURCE_EXHAUSTED")
    found = details(reply)
    (violation,) = found["QuotaFailure"]["violations"]
    assert violation["quotaId"] == "GenerateContentPaidTierInputTokensPerModelPerMinute"
    assert violation["quotaValue"] == "10"
    assert found["RetryInfo"]["retryDelay"] == "45s"
    assert "45.750000000s" in reply.json()["error"]["message"]
    assert reply.headers["x-gemini-service-tier"] == "standard"
    assert "retry-after" not in reply.headers
    emulator.clock.advance(46)
    assert ask(api, "x" * 36).status_code == 200


def test_a_day_of_requests_ends_at_midnight_in_california(api: Gemini, emulator: Emulator):
    emulator.capacity = Capacity(day_requests=1)
    assert ask(api).status_code == 200
    found = details(ask(api))
    assert "PerDay" in found["QuotaFailure"]["violations"][0]["quotaId"]
    assert found["RetryInfo"]["retryDelay"] == f"{15 * 3600}s"
    emulator.clock.advance(15 * 3600)
    assert ask(api).status_code == 200


def test_ten_minutes_of_spending_are_refused_with_neither_limit_nor_wait(api: Gemini, emulator: Emulator):
    emulator.capacity = Capacity(spend_tokens=1)
    assert ask(api).status_code == 200
    reply = ask(api)
    assert (reply.status_code, set(details(reply))) == (429, {"Help"})
    emulator.clock.advance(601)
    assert ask(api).status_code == 200


def test_a_spending_cap_holds_whatever_the_clock_says(api: Gemini, emulator: Emulator):
    emulator.capacity = Capacity(cap_tokens=1)
    assert ask(api).status_code == 200
    emulator.clock.advance(86_400)
    reply = ask(api)
    assert reply.status_code == 429
    assert "monthly spending cap" in reply.json()["error"]["message"]
    assert details(reply) == {}


def test_a_tier_sheds_in_spells_in_the_words_of_its_service(api: Gemini, vertex: Vertex, emulator: Emulator):
    emulator.capacity = Capacity(spells={"flex": (60, 30)})
    flex = {"serviceTier": "flex"}
    assert ask(api, **flex).status_code == 200
    emulator.clock.advance(61)
    reply = ask(api, **flex)
    assert refused(reply) == (503, "UNAVAILABLE")
    assert details(reply) == {}
    assert ask(api).status_code == 200, "the other tier goes on"
    assert refused(ask_vertex(vertex, headers=FLEX_ON_VERTEX)) == (429, "RESOURCE_EXHAUSTED")
    emulator.clock.advance(30)
    assert ask(api, **flex).status_code == 200


def test_a_model_without_a_free_slot_sheds(api: Gemini, emulator: Emulator):
    emulator.capacity = Capacity(slots=0)
    assert ask(api).status_code == 503
    emulator.capacity = Capacity(slots=1)
    assert [ask(api).status_code for _ in range(3)] == [200, 200, 200], "a slot is given back"


def test_a_server_timeout_is_at_least_ten_seconds_and_ends_a_longer_answer(api: Gemini, emulator: Emulator):
    assert refused(ask(api, headers={"X-Server-Timeout": "9"})) == (400, "INVALID_ARGUMENT")
    emulator.capacity = Capacity(seconds=30)
    assert refused(ask(api, headers={"X-Server-Timeout": "20"})) == (504, "DEADLINE_EXCEEDED")
    assert ask(api, headers={"X-Server-Timeout": "40"}).status_code == 200


@pytest.mark.parametrize("status", [499, 500, 503])
def test_an_answer_is_evicted_on_its_way(api: Gemini, emulator: Emulator, status: int):
    emulator.faults.add("models.generateContent", Fault.error(status, acted=True))
    assert ask(api).status_code == status
    assert ask(api).status_code == 200


def test_a_call_hangs_until_it_is_let_go(api: Gemini, emulator: Emulator):
    ticket = emulator.faults.add("models.generateContent", Fault.hold())
    replies: list[httpx.Response] = []
    caller = threading.Thread(target=lambda: replies.append(ask(api)))
    caller.start()
    assert ticket.wait_held()
    assert replies == []
    ticket.release()
    caller.join(120)
    assert [one.status_code for one in replies] == [200]


def test_a_bad_request_is_refused_as_a_call(api: Gemini):
    assert refused(ask(api, colour="red"))[0] == 400
    assert refused(api.http.post("/v1beta/models/gemini-2.5-flash:generateContent", json={})) == (
        400,
        "INVALID_ARGUMENT",
    )
    assert refused(ask(api, model="gemini-no-such-model")) == (404, "NOT_FOUND")
    assert refused(ask(api, "x" * 20_971_520))[0] == 400


def test_what_the_model_refuses_has_the_status_of_http():
    def refuse(_request: Any) -> str:
        raise RowError(8, "Too much.")

    with Emulator(answer=refuse) as emulator, Gemini(emulator.url) as api:
        assert refused(ask(api)) == (429, "RESOURCE_EXHAUSTED")


def embed_requests(count: int, model: str = "models/gemini-embedding-001") -> dict[str, Any]:
    one = {"model": model, "content": {"parts": [{"text": "hi"}]}, "outputDimensionality": 4}
    return {"requests": [one] * count}


def test_embeddings_come_in_order_at_most_a_hundred_each_with_its_model(api: Gemini):
    path = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    found = good(api.http.post(path, json=embed_requests(100)))["embeddings"]
    assert [len(one["values"]) for one in found] == [4] * 100
    assert refused(api.http.post(path, json=embed_requests(101)))[0] == 400
    assert refused(api.http.post(path, json=embed_requests(1, "models/gemini-embedding-2")))[0] == 400
    single = embed_requests(1)["requests"][0]
    path = "/v1beta/models/gemini-embedding-001:embedContent"
    assert good(api.http.post(path, json=single))["embedding"] == found[0]


def test_tokens_are_counted_of_contents_or_of_a_request(api: Gemini, vertex: Vertex):
    path, model = "/v1beta/models/gemini-2.5-flash:countTokens", "models/gemini-2.5-flash"
    whole = {"model": model, **question("x" * 8), "systemInstruction": {"parts": [{"text": "y" * 8}]}}
    assert good(api.http.post(path, json=question("x" * 8)))["totalTokens"] == 2
    assert good(api.http.post(path, json={"generateContentRequest": whole}))["totalTokens"] == 4
    assert refused(api.http.post(path, json={**question("x"), "generateContentRequest": whole}))[0] == 400
    path = f"/v1/projects/{PROJECT}/locations/global/publishers/google/{model}:countTokens"
    found = good(vertex.http.post(path, json=question("a b c")))
    assert (found["totalTokens"], found["totalBillableCharacters"]) == (2, 3)


def test_a_batch_over_the_enqueued_tokens_of_its_model_is_refused_until_one_has_ended(
    api: Gemini, emulator: Emulator
):
    emulator.capacity = Capacity(enqueued_tokens=100)
    emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    first = api.inline("x" * 200)["name"]
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": question("x" * 200)}]}}}}
    reply = api.http.post("/v1beta/models/gemini-2.5-flash:batchGenerateContent", json=body)
    assert refused(reply) == (429, "RESOURCE_EXHAUSTED")
    assert [*details(reply)] == ["Help"], "nothing says which quota it is, nor how long to wait"
    api.inline("x" * 200, model="gemini-2.5-pro")
    assert len(emulator.jobs) == 2, "nothing is made of what is refused"
    api.cancel(first)
    api.ended(first)
    api.inline("x" * 200)


def test_capacity_is_shown_and_set_over_http(api: Gemini, emulator: Emulator):
    address = "/_emulator/capacity"
    shown = good(api.http.patch(address, json={"minute_tokens": 5, "spells": {"flex": [0, 1]}}))
    assert (shown["minute_tokens"], shown["spells"]) == (5, {"flex": [0.0, 1.0]})
    assert emulator.capacity == Capacity(minute_tokens=5, spells={"flex": (0, 1)})
    wrong: list[dict[str, Any]] = [
        {"minutes": 1},
        {"slots": -1},
        {"spells": {"fast": [1, 1]}},
        {"spells": {"flex": [0, 0]}},
        {"tier_on_vertex": 1},
    ]
    assert [api.http.patch(address, json=body).status_code for body in wrong] == [400] * 5
    assert good(api.http.get(address)) == shown
