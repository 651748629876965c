"""What the refusals of calls that answer at once mean, in the shapes in which services send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_genai_batch.exceptions import CallError, TransportError, UnreadableAnswer
from airflow_provider_genai_batch.flows.online.patience import RowPatience, RowTries
from airflow_provider_genai_batch.flows.online.refusal import STOPPING, Meaning, Refusal, read_refusal
from airflow_provider_genai_batch.wire.services.errors import api_error
from airflow_provider_genai_batch.wire.services.http import HttpAnswer

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "45s"}
HELP = {"@type": "type.googleapis.com/google.rpc.Help", "links": []}
SETTING_UP = "Vertex AI Service agents are being provisioned. Please retry in a few minutes."


def refused(code: int, message: str, status: str = "", details: Any = ()) -> CallError:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return api_error(HttpAnswer(code, {}, json.dumps({"error": error}).encode()))


def quota(quota_id: str, value: str = "2000000") -> dict[str, Any]:
    violation = {"quotaId": quota_id, "quotaValue": value}
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


MINUTE = quota("GenerateContentPaidTierInputTokensPerModelPerMinute")
DAY = quota("GenerateRequestsPerDayPerProjectPerModel", "1000")
KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (refused(429, "quota", details=[HELP, MINUTE, RETRY]), Refusal(Meaning.MINUTE, 45.0, 2_000_000)),
        (refused(429, "quota", details=[DAY, RETRY]), Refusal(Meaning.DAY, 45.0)),
        (refused(429, "You exceeded your current quota", details=[HELP]), Refusal(Meaning.UNCLEAR)),
        (refused(429, "Resource exhausted."), Refusal(Meaning.UNCLEAR)),
        (refused(429, "exceeded its monthly spending cap."), Refusal(Meaning.CAP)),
        (refused(429, "wait", details=[RETRY]), Refusal(Meaning.MINUTE, 45.0)),
        (refused(503, "high demand", "UNAVAILABLE"), Refusal(Meaning.BUSY)),
        (refused(504, "Deadline expired", "DEADLINE_EXCEEDED"), Refusal(Meaning.BUSY)),
        (refused(499, "cancelled", "CANCELLED"), Refusal(Meaning.BUSY)),
        (refused(400, SETTING_UP, "FAILED_PRECONDITION"), Refusal(Meaning.BUSY)),
        (refused(400, "bad schema", "INVALID_ARGUMENT"), Refusal(Meaning.ROW)),
        (refused(400, "flex deadline 5s is too short", "INVALID_ARGUMENT"), Refusal(Meaning.ROW)),
        (refused(400, "tier flex is not supported", "INVALID_ARGUMENT"), Refusal(Meaning.NO_TIER)),
        (refused(400, "API key not valid", "INVALID_ARGUMENT", [KEY]), Refusal(Meaning.FATAL)),
        (refused(400, "User location", "FAILED_PRECONDITION"), Refusal(Meaning.FATAL)),
        (refused(403, "denied", "PERMISSION_DENIED"), Refusal(Meaning.FATAL)),
        (refused(404, "no model", "NOT_FOUND"), Refusal(Meaning.FATAL)),
        (TransportError("reset"), Refusal(Meaning.LOST)),
        (UnreadableAnswer("half"), Refusal(Meaning.LOST)),
    ],
    ids=lambda value: f"{value.meaning.value}" if isinstance(value, Refusal) else None,
)
def test_a_refusal_is_told_by_what_it_says(error: CallError, meant: Refusal):
    assert read_refusal(error, flex=True) == meant


def test_a_standard_call_is_never_refused_for_its_tier():
    error = refused(400, "tier flex is not supported", "INVALID_ARGUMENT")
    assert read_refusal(error, flex=False).meaning is Meaning.ROW


@pytest.mark.parametrize("meaning", [Meaning.BUSY, Meaning.UNCLEAR])
def test_a_row_without_capacity_is_asked_a_bounded_number_of_times(meaning: Meaning):
    tries = RowTries(RowPatience(tries=4), 0.0)
    pauses = [tries.after(Refusal(meaning), 0.0) for _ in range(4)]
    assert [pause is None for pause in pauses] == [False, False, False, True]


def test_a_minute_of_quota_costs_a_row_no_try_but_its_time():
    tries = RowTries(RowPatience(tries=1, seconds=100.0), 0.0)
    assert [tries.after(Refusal(Meaning.MINUTE, 45.0), now) for now in (1.0, 50.0, 99.0)] == [0.0] * 3
    assert tries.after(Refusal(Meaning.MINUTE, 45.0), 100.0) is None


def test_a_call_that_may_be_billed_is_made_twice_at_most():
    tries = RowTries(RowPatience(), 0.0)
    assert tries.after(Refusal(Meaning.LOST), 0.0) is not None
    assert tries.after(Refusal(Meaning.LOST), 1.0) is None


@pytest.mark.parametrize("meaning", [Meaning.ROW, *sorted(STOPPING, key=lambda one: one.name)])
def test_a_row_is_not_asked_again_where_that_changes_nothing(meaning: Meaning):
    assert RowTries(RowPatience(), 0.0).after(Refusal(meaning), 0.0) is None
