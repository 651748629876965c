"""Things that go wrong with one call."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Unspent
from tests.emulator.talk import MODEL, Gemini, keyed, lines, question, refused

CREATE = f"/v1beta/models/{MODEL}:batchGenerateContent"
BODY = {"batch": {"inputConfig": {"requests": {"requests": [{"request": question("hi")}]}}}}


def test_an_error_is_googles_and_happens_before_anything_is_done(api: Gemini, emulator: Emulator):
    emulator.faults.add("batches.create", Fault.error(429, "slow down", retry_delay="28s", retry_after=5))
    reply = api.http.post(CREATE, json=BODY)
    assert refused(reply) == (429, "RESOURCE_EXHAUSTED")
    assert reply.headers["retry-after"] == "5"
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "28s"}
    assert reply.json()["error"]["details"] == [retry]
    assert emulator.jobs == []


def test_an_error_may_come_wrapped_in_a_list_or_as_a_page(api: Gemini, emulator: Emulator):
    emulator.faults.add("batches.list", Fault.error(503, wrapped=True))
    emulator.faults.add("batches.list", Fault.html(502))
    assert api.http.get("/v1beta/batches").json()[0]["error"]["status"] == "UNAVAILABLE"
    page = api.http.get("/v1beta/batches")
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert api.list() == {}


def test_a_dropped_connection_did_nothing_and_a_lost_reply_did_everything(api: Gemini, emulator: Emulator):
    emulator.faults.add("batches.create", Fault.drop())
    with pytest.raises(httpx.TransportError):
        api.http.post(CREATE, json=BODY)
    assert emulator.jobs == []
    emulator.faults.add("batches.create", Fault.lost_reply())
    with pytest.raises(httpx.TransportError):
        api.http.post(CREATE, json=BODY)
    assert len(emulator.jobs) == 1
    assert [(one["status"], one["fault"]) for one in emulator.requests] == [
        (None, "drop"),
        (None, "lost_reply"),
    ]


def test_a_refusal_can_be_lost_too(api: Gemini, emulator: Emulator):
    emulator.faults.add("batches.create", Fault.lost_reply())
    with pytest.raises(httpx.TransportError):
        api.http.post(CREATE, json={})
    assert emulator.jobs == []


@pytest.mark.parametrize(
    "fault", [Fault.error(503, acted=True), Fault.html(500, acted=True), Fault.unreadable()]
)
def test_some_replies_say_nothing_of_what_was_done(api: Gemini, emulator: Emulator, fault: Fault):
    emulator.faults.add("batches.create", fault)
    reply = api.http.post(CREATE, json=BODY)
    assert reply.status_code == (fault.status or 200)
    if fault.kind == "unreadable":
        with pytest.raises(ValueError, match=r"."):
            reply.json()
    assert len(emulator.jobs) == 1


def test_a_truncated_body_breaks_off_after_half_of_what_was_promised(api: Gemini, emulator: Emulator):
    output = api.ended(api.from_file(api.upload(lines(keyed(500))))["name"])["response"]["responsesFile"]
    whole = len(api.download(output).content)
    emulator.faults.add("files.download", Fault.truncated())
    got = 0
    with (  # noqa: PT012 - it is the reading that fails
        pytest.raises(httpx.RemoteProtocolError),
        api.http.stream("GET", f"/v1beta/{output}:download", params={"alt": "media"}) as reply,
    ):
        assert reply.headers["content-length"] == str(whole)
        for chunk in reply.iter_raw():
            got += len(chunk)
    assert got == whole // 2
    emulator.faults.add("batches.list", Fault.truncated())
    with pytest.raises(httpx.RemoteProtocolError):
        api.http.get("/v1beta/batches")


def test_a_held_call_waits_until_it_is_released(api: Gemini, emulator: Emulator):
    before = emulator.faults.add("batches.create", Fault.hold())
    replies: list[httpx.Response] = []
    caller = threading.Thread(target=lambda: replies.append(api.http.post(CREATE, json=BODY)))
    caller.start()
    assert before.wait_held()
    assert emulator.jobs == []
    before.release()
    caller.join(120)
    assert replies[0].status_code == 200
    after = emulator.faults.add("batches.create", Fault.hold(acted=True))
    caller = threading.Thread(target=lambda: replies.append(api.http.post(CREATE, json=BODY)))
    caller.start()
    assert after.wait_held()
    assert len(emulator.jobs) == 2
    after.release()
    caller.join(120)
    assert len(replies) == 2


def test_a_redirect_points_elsewhere(api: Gemini, emulator: Emulator):
    emulator.faults.add("files.download", Fault.redirect("http://127.0.0.1:9/elsewhere"))
    reply = api.download("files/batch-x")
    assert (reply.status_code, reply.headers["location"]) == (307, "http://127.0.0.1:9/elsewhere")


def test_faults_happen_in_order_as_often_as_told_and_only_on_their_path(api: Gemini, emulator: Emulator):
    first, second = api.inline("a")["name"], api.inline("b")["name"]
    emulator.faults.add("batches.get", Fault.error(500, times=2, path=second))
    emulator.faults.add("batches.get", Fault.error(503))
    statuses = [api.http.get(f"/v1beta/{name}").status_code for name in (second, first, second, second)]
    assert statuses == [500, 503, 500, 200]


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("batches.make", Fault.drop()),
        ("batches.get", Fault.no_status_header()),
        ("files.start", Fault.lost_final_reply()),
        ("files.download", Fault.unreadable()),
        ("files.start", Fault.truncated()),
        ("batches.get", Fault.error(200)),
        ("batches.get", Fault.drop(times=0)),
        ("batches.get", Fault.redirect("")),
        ("batches.get", Fault.drop(retry_delay="1s")),
        ("batches.get", Fault.lost_reply(retry_after=3)),
        ("batches.get", Fault("explode")),
        ("batches.get", Fault.ignored_filter()),
        ("batches.list", Fault.twice()),
        ("batches.list", Fault("ignored_filter")),
        ("batches.get", Fault.oldest_first()),
        ("batches.get", Fault.same_token()),
        ("batches.list", Fault.misnamed("x")),
    ],
)
def test_a_fault_that_cannot_happen_is_refused_when_it_is_added(
    emulator: Emulator, method: str, fault: Fault
):
    with pytest.raises(ValueError, match=r"."):
        emulator.faults.add(method, fault)


def test_what_never_happened_fails_the_test_by_name():
    with (  # noqa: PT012 - it is the end that fails
        pytest.raises(Unspent, match=r"drop for batches\.delete .*; script .*FAILED") as caught,
        Emulator() as emulator,
    ):
        emulator.faults.add("batches.delete", Fault.drop())
        emulator.script(JobScript(end="FAILED"))
    assert isinstance(caught.value, AssertionError)


def test_what_never_happened_does_not_hide_another_failure():
    with pytest.raises(ZeroDivisionError), Emulator() as emulator:  # noqa: PT012 - see above
        emulator.faults.add("batches.delete", Fault.drop())
        raise ZeroDivisionError


def test_a_create_may_make_two_jobs_of_one_call(api: Gemini, emulator: Emulator):
    emulator.faults.add("batches.create", Fault.twice())
    shown = api.inline("hi", displayName="one name")
    first, second = emulator.jobs
    assert shown["name"] == second["name"] != first["name"]
    assert first["display_name"] == second["display_name"] == "one name"
    assert [len(api.ended(job["name"])["metadata"]["output"]) for job in (first, second)] == [1, 1]


def test_a_list_may_ignore_its_filter(api: Gemini, emulator: Emulator):
    name = api.inline("hi")["name"]
    emulator.faults.add("batches.list", Fault.ignored_filter())
    assert api.list()["operations"][0]["name"] == name
    assert api.list(filter='displayName="another"')["operations"][0]["name"] == name
    assert api.http.get("/v1beta/batches", params={"filter": "x"}).status_code == 400


def test_secrets_are_not_in_the_record(api: Gemini, emulator: Emulator):
    url = api.start(3)
    api.send(url, b"abc")
    api.http.get("/v1beta/batches", params={"key": "also-secret"})
    record: list[dict[str, Any]] = emulator.requests
    text = str(record)
    assert url.split("upload_id=")[1][:48] not in text
    assert "also-secret" not in text
    assert [(one["method"], one["has_api_key"], one["has_key_query"]) for one in record] == [
        ("files.start", True, False),
        ("files.upload", False, False),
        ("batches.list", True, True),
    ]
    assert record[0]["headers"]["x-goog-api-key"] == "REDACTED"
    assert record[1]["body_size"] == 3


def test_a_list_may_come_in_the_other_order(api: Gemini, emulator: Emulator):
    names = [api.inline("hi")["name"] for _ in range(3)]
    emulator.faults.add("batches.list", Fault.oldest_first(times=2))
    first = api.list(pageSize=2)
    second = api.list(pageSize=2, pageToken=first["nextPageToken"])
    assert [one["name"] for one in (*first["operations"], *second["operations"])] == names
    assert [one["name"] for one in api.list()["operations"]] == names[::-1]


def test_a_list_may_lead_in_circles(api: Gemini, emulator: Emulator):
    name = api.inline("hi")["name"]
    emulator.faults.add("batches.list", Fault.same_token(times=2))
    first = api.list()
    second = api.list(pageToken=first["nextPageToken"])
    assert first["nextPageToken"] == second["nextPageToken"]
    assert first["operations"][0]["name"] == second["operations"][0]["name"] == name
    assert [one["name"] for one in api.list()["operations"]] == [name]


def test_the_answer_to_a_create_may_name_no_job(api: Gemini, emulator: Emulator):
    emulator.faults.add("batches.create", Fault.misnamed("operations/abc"))
    reply = api.http.post(CREATE, json=BODY)
    assert (reply.status_code, reply.json()) == (200, {"name": "operations/abc"})
    assert len(emulator.jobs) == 1
