"""The control routes."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from airflow_provider_genai_batch.emulator import Emulator
from tests.emulator.talk import Gemini, good


def call(api: Gemini, verb: str, path: str, **body: Any) -> Any:
    return api.http.request(verb, f"/_emulator/{path}", json=body or None).json()


def test_faults_are_queued_shown_and_forgotten(api: Gemini, emulator: Emulator):
    answer = call(api, "POST", "faults", method="batches.list", kind="error", status=503, retry_after=1)
    (waiting,) = call(api, "GET", "faults")["faults"]
    assert (waiting["id"], waiting["method"], waiting["status"]) == (answer["id"], "batches.list", 503)
    assert api.http.get("/v1beta/batches").status_code == 503
    call(api, "POST", "faults", method="batches.create", kind="lost_reply")
    with pytest.raises(httpx.TransportError):
        api.inline("a")
    assert len(emulator.jobs) == 1
    call(api, "POST", "faults", method="batches.list", kind="drop")
    call(api, "DELETE", "faults")
    assert call(api, "GET", "faults") == {"faults": []}


@pytest.mark.parametrize(
    "body",
    [
        {"method": "batches.make", "kind": "drop"},
        {"method": "batches.get", "kind": "lost_chunk"},
        {"method": "batches.get", "kind": "drop", "colour": "red"},
        {"method": "batches.get"},
    ],
)
def test_a_fault_that_cannot_happen_is_refused(api: Gemini, body: dict[str, Any]):
    reply = api.http.post("/_emulator/faults", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"]


def test_a_held_call_is_released_over_http(api: Gemini, emulator: Emulator):
    number = call(api, "POST", "faults", method="batches.list", kind="hold")["id"]
    ticket = emulator.faults.find(number)
    assert ticket
    replies: list[Any] = []
    caller = threading.Thread(target=lambda: replies.append(api.list()))
    caller.start()
    assert ticket.wait_held()
    assert call(api, "POST", f"faults/{number}/release") == {}
    caller.join(120)
    assert replies == [{}]
    assert api.http.post("/_emulator/faults/99/release").status_code == 404


def test_a_script_is_queued_for_a_backend(api: Gemini):
    assert call(api, "POST", "jobs", backend="gemini", end="FAILED", lifecycle={"looks": 0}) == {}
    assert api.get(api.inline("a")["name"])["metadata"]["state"] == "BATCH_STATE_FAILED"
    assert "no field" in call(api, "POST", "jobs", colour="red")["error"]
    assert call(api, "POST", "jobs", lifecycle={"hours": 1})["error"]


def test_jobs_are_shown_and_forced(api: Gemini):
    name = api.inline("a", displayName="mine")["name"]
    (shown,) = call(api, "GET", "jobs")["jobs"]
    assert (shown["name"], shown["display_name"], shown["live"]) == (name, "mine", True)
    forced = call(api, "PATCH", f"jobs/{name}", state="JOB_STATE_FAILED", error={"code": 8})
    assert (forced["state"], forced["live"], forced["error"]) == ("FAILED", False, {"code": 8})
    assert api.get(name)["error"] == {"code": 8}
    assert api.http.patch(f"/_emulator/jobs/{name}", json={"state": "RUNNING"}).status_code == 400
    assert api.http.patch("/_emulator/jobs/batches/none", json={"state": "RUNNING"}).status_code == 404


def test_requests_are_shown_and_forgotten(api: Gemini, emulator: Emulator):
    api.inline("a", displayName="mine")
    (shown,) = call(api, "GET", "requests")["requests"]
    assert (shown["method"], shown["status"]) == ("batches.create", 200)
    assert shown["body"]["batch"]["displayName"] == "mine"
    call(api, "DELETE", "requests")
    assert emulator.requests == []


def test_the_clock_is_shown_and_advanced(api: Gemini):
    before = call(api, "GET", "clock")
    after = call(api, "POST", "clock", advance=500)
    assert after["offset"] == 500
    assert after["now"] >= before["now"] + 500
    assert api.http.post("/_emulator/clock", json={"advance": -1}).status_code == 400


def test_connections_are_given_and_need_no_credentials(emulator: Emulator):
    with httpx.Client(base_url=emulator.url, trust_env=False, verify=False, timeout=120) as client:
        assert good(client.get("/_emulator/connection/gemini")) == emulator.connection("gemini")
        assert good(client.get("/_emulator/connection/vertex")) == emulator.connection("vertex")
        assert client.get("/_emulator/connection/azure").status_code == 400
