"""Lists of batches, and how untidy they can be."""

from __future__ import annotations

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, Lifecycle, VirtualClock
from tests.emulator.talk import Gemini, refused


def pages(api: Gemini, **query: str) -> list[list[str]]:
    result, token = [], ""
    while True:
        page = api.list(**query, **({"pageToken": token} if token else {}))
        result.append([one["metadata"].get("displayName", "") for one in page.get("operations", [])])
        token = page.get("nextPageToken", "")
        if not token:
            return result


def names(api: Gemini) -> list[str]:
    return [name for page in pages(api) for name in page]


def test_batches_come_newest_first_page_by_page(api: Gemini):
    for name in "abcde":
        api.inline("hi", displayName=name)
    assert pages(api, pageSize="2") == [["e", "d"], ["c", "b"], ["a"]]


def test_a_token_needs_quoting_in_a_url(api: Gemini):
    for name in "ab":
        api.inline("hi", displayName=name)
    first = api.list(pageSize="1")
    assert "=" in first["nextPageToken"]
    assert "/" in first["nextPageToken"]
    assert pages(api, pageSize="1") == [["b"], ["a"]]


def test_pages_stay_where_they_are_while_jobs_are_created(api: Gemini):
    for name in "abc":
        api.inline("hi", displayName=name)
    first = api.list(pageSize="2")
    api.inline("hi", displayName="late")
    rest = api.list(pageSize="2", pageToken=first["nextPageToken"])
    assert [one["metadata"]["displayName"] for one in rest["operations"]] == ["a"]


def test_entries_carry_no_inline_results(api: Gemini):
    api.ended(api.inline("hi")["name"])
    entry = api.list()["operations"][0]
    assert entry["done"] is True
    assert "inlinedResponses" not in str(entry)


def test_counters_of_entries_may_be_stale(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(stale_counters=True))
    name = api.inline("hi")["name"]
    fresh = api.ended(name)["metadata"]["batchStats"]
    entry = api.list()["operations"][0]["metadata"]
    assert fresh == {"requestCount": "1", "successfulRequestCount": "1"}
    assert entry["state"] == "BATCH_STATE_SUCCEEDED"
    assert entry["batchStats"] == {"requestCount": "1", "pendingRequestCount": "1"}


def test_a_list_may_lag_behind_create_by_looks(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(list_lag=2))
    api.inline("hi", displayName="new")
    assert [names(api) for _ in range(3)] == [[], [], ["new"]]


def test_a_list_may_lag_behind_create_by_seconds():
    with Emulator(clock=VirtualClock()) as emulator, Gemini(emulator.url) as api:
        emulator.script(JobScript(list_lag_seconds=30))
        api.inline("hi", displayName="new")
        assert names(api) == []
        emulator.clock.advance(31)
        assert names(api) == ["new"]


def test_list_entries_may_outlive_the_end_and_the_deletion_of_a_job(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(end="FAILED", stale_entries=True))
    name = api.inline("hi")["name"]
    assert api.ended(name)["metadata"]["state"] == "BATCH_STATE_FAILED"
    entry = api.list()["operations"][0]
    assert (entry["metadata"]["state"], entry.get("done"), entry.get("error")) == (
        "BATCH_STATE_RUNNING",
        None,
        None,
    )
    assert api.delete(name).status_code == 200
    assert api.list()["operations"][0]["metadata"]["state"] == "BATCH_STATE_RUNNING"
    assert api.http.get(f"/v1beta/{name}").status_code == 404


def test_an_empty_page_may_carry_a_token(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(empty_page=True))
    api.inline("hi", displayName="behind")
    assert pages(api) == [[], ["behind"]]


@pytest.mark.parametrize("query", [{"pageSize": "-1"}, {"pageSize": "many"}, {"pageToken": "forged"}])
def test_wrong_paging_is_refused(api: Gemini, query: dict[str, str]):
    assert refused(api.http.get("/v1beta/batches", params=query)) == (400, "INVALID_ARGUMENT")


def test_a_list_can_be_masked(api: Gemini):
    name = api.inline("hi")["name"]
    shown = api.list(fields="operations(name,metadata/state),nextPageToken")
    assert shown == {"operations": [{"name": name, "metadata": {"state": "BATCH_STATE_RUNNING"}}]}


def test_listing_moves_every_job_of_a_page():
    with Emulator(lifecycle=Lifecycle.at_once()) as emulator, Gemini(emulator.url) as api:
        for _ in range(3):
            api.inline("hi")
        assert all(one["done"] for one in api.list()["operations"])
