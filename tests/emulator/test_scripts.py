"""Untidy results, made on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript, RowError, VirtualClock
from tests.emulator.talk import Gemini, keyed, lines


def inline_rows(api: Gemini, *texts: str) -> list[dict[str, Any]]:
    ended = api.ended(api.inline(*texts)["name"])
    return ended["response"]["inlinedResponses"]["inlinedResponses"]


def file_rows(api: Gemini, count: int) -> list[dict[str, Any]]:
    return api.rows(api.ended(api.from_file(api.upload(lines(keyed(count))))["name"]))


def test_rows_fail_by_key_and_by_index_with_the_status_given(api: Gemini, emulator: Emulator):
    status = {"code": 8, "message": "slow down", "details": [{"@type": "t", "x": 1}]}
    emulator.script(JobScript(row_errors={"row-1": status, 2: 13}))
    rows = inline_rows(api, "a", "b", "c")
    assert rows[1]["error"] == status
    assert rows[2]["error"]["code"] == 13
    assert "response" in rows[0]
    assert emulator.jobs[0]["rows"] == {"total": 3, "succeeded": 1, "failed": 2, "pending": 0}


def test_a_fraction_of_rows_fails_the_same_way_every_time(api: Gemini, emulator: Emulator):
    failed = []
    for _ in range(2):
        emulator.script(JobScript(failing_fraction=0.3, failing_error=8, seed=5))
        failed.append({row["key"] for row in file_rows(api, 200) if "error" in row})
    assert failed[0] == failed[1]
    assert 30 < len(failed[0]) < 90


def test_all_rows_may_fail_and_the_job_still_succeeds(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(all_rows_fail=3))
    ended = api.ended(api.inline("a", "b")["name"])
    assert ended["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert ended["metadata"]["batchStats"] == {"requestCount": "2", "failedRequestCount": "2"}


def test_rows_go_missing_come_twice_and_come_unasked(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(missing=["row-0"], duplicated=[1], unknown_keys=["stranger"]))
    keys = [row["key"] for row in file_rows(api, 3)]
    assert sorted(keys) == ["row-1", "row-1", "row-2", "stranger"]


def test_metadata_of_inline_rows_is_dropped_for_all_or_some(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(drop_metadata=True))
    emulator.script(JobScript(drop_metadata=["row-1"]))
    assert ["metadata" in row for row in inline_rows(api, "a", "b")] == [False, False]
    assert ["metadata" in row for row in inline_rows(api, "a", "b")] == [True, False]


def test_order_is_the_scripts_where_it_says_so(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(shuffle=False))
    emulator.script(JobScript(shuffle=True))
    given = [f"row-{number}" for number in range(20)]
    assert [row["key"] for row in file_rows(api, 20)] == given
    assert [row["metadata"]["key"] for row in inline_rows(api, *given)] != given


def test_a_blocked_row_has_no_candidates_and_a_finish_reason_is_passed_on(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(blocked=["row-0"], finish_reasons={"row-1": "SAFETY", "row-2": "MAX_TOKENS"}))
    blocked, unsafe, cut = (row["response"] for row in inline_rows(api, "a", "b", "c"))
    assert blocked["promptFeedback"]["blockReason"] == "PROHIBITED_CONTENT"
    assert "candidates" not in blocked
    assert unsafe["candidates"][0] == {"finishReason": "SAFETY", "index": 0}
    assert cut["candidates"][0]["content"]["parts"][0]["text"]


def test_a_scripted_answer_is_given_to_its_row(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(answers={"row-0": {"mood": "fine"}, 1: "word"}))
    texts = [
        row["response"]["candidates"][0]["content"]["parts"][0]["text"] for row in inline_rows(api, "a", "b")
    ]
    assert texts == ['{"mood": "fine"}', "word"]


def test_a_file_is_late_by_reads(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(late_output=2))
    ended = api.ended(api.from_file(api.upload(lines(keyed(1))))["name"])
    name = ended["response"]["responsesFile"]
    assert [api.download(name).status_code for _ in range(3)] == [404, 404, 200]


def test_inline_results_are_late_by_looks_while_the_job_says_succeeded(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(late_output=1))
    name = api.inline("a")["name"]
    early, late = api.ended(name), api.get(name)
    assert early["done"] is True
    assert "inlinedResponses" not in early["response"]
    assert "output" not in early["metadata"]
    assert late["response"]["inlinedResponses"]["inlinedResponses"]


def test_output_is_late_by_the_clock():
    with Emulator(clock=VirtualClock()) as emulator, Gemini(emulator.url) as api:
        emulator.script(JobScript(late_seconds=100))
        ended = api.ended(api.from_file(api.upload(lines(keyed(1))))["name"])
        assert api.download(ended["response"]["responsesFile"]).status_code == 404
        emulator.clock.advance(101)
        assert len(api.rows(ended)) == 1


def test_a_small_file_job_may_answer_inline_and_a_list_may_be_bare(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(inline_results=True, bare_list=True))
    ended = api.ended(api.from_file(api.upload(lines(keyed(2))))["name"])
    assert [row["metadata"]["key"] for row in ended["response"]["inlinedResponses"]] == ["row-0", "row-1"]
    assert "responsesFile" not in ended["response"]


def test_the_first_job_of_the_backend_takes_the_script(api: Gemini, emulator: Emulator):
    emulator.script(JobScript(all_rows_fail=3), backend="gemini")
    assert "error" in inline_rows(api, "a")[0]
    assert "response" in inline_rows(api, "a")[0]


def test_a_users_function_fails_rows_with_its_own_error():
    def answer(request: dict[str, Any]) -> str:
        if "bad" in str(request):
            raise RowError(8, "too much", [{"@type": "t"}])
        return "fine"

    with Emulator(answer=answer) as emulator, Gemini(emulator.url) as api:
        good, bad = inline_rows(api, "good", "bad")
    assert good["response"]["candidates"][0]["content"]["parts"][0]["text"] == "fine"
    assert bad["error"] == {"code": 8, "message": "too much", "details": [{"@type": "t"}]}


@pytest.mark.parametrize(
    "wrong", [{"failing_fraction": 2}, {"served": -1}, {"shards": 0}, {"failed_row_response": "x"}]
)
def test_a_script_that_cannot_be_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=r"."):
        JobScript(**wrong)


def test_a_script_survives_json():
    script = JobScript(
        row_errors={0: 3, "a": 8}, drop_metadata=[1], end="BATCH_STATE_FAILED", states=["QUEUED"]
    )
    assert JobScript.from_json(script.to_json()) == script
    with pytest.raises(ValueError, match="colour"):
        JobScript.from_json({"colour": "red"})
