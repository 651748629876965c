"""A person approves what a task costs, between its pilot and the other requests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.client import GenAIBatchClient
from airflow_provider_genai_batch.emulator import Emulator
from airflow_provider_genai_batch.exceptions import (
    ApprovalOutdated,
    ApprovalRejected,
    ConfigurationError,
    InputError,
)
from airflow_provider_genai_batch.flows.submission import search
from airflow_provider_genai_batch.models import Approval, Approved, Pilot, ReadyBy
from airflow_provider_genai_batch.models.settings.question import amount_in, option_of
from airflow_provider_genai_batch.task.pilot.question import rounded_up
from tests.task.plain_task import Deferred, Parked, PlainTask
from tests.task.test_attempt import client, ended
from tests.task.test_pilot import asked_at_once, attempt, rows, run, sizes

__all__ = ["client"]
ALICE = {"id": "1", "name": "alice"}
ALWAYS = Pilot(10, approve_above=0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between looks of a retry."""
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01, 0.01, 0.01, 0.01))


def answer(*options: str, user: Any = ALICE, **more: Any) -> dict[str, Any]:
    return {
        "chosen_options": [*options],
        "params_input": {},
        "responded_by_user": user,
        "timedout": False,
        **more,
    }


def parked(client: GenAIBatchClient, folder: Path, task: PlainTask | None = None, **how: Any) -> Parked:
    with pytest.raises(Parked) as left:
        run(client, folder, task, **{"pilot": ALWAYS, **how})
    return left.value


def test_nothing_but_the_pilot_is_asked_before_a_person_approves_and_nothing_twice_after(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    task = PlainTask()
    left = parked(client, tmp_path, task)
    assert (asked_at_once(emulator), emulator.jobs) == (10, [])
    question, body = left.question, left.question.body
    assert question.options == [question.yes, "Reject"]
    assert question.subject == f"{question.yes} for 50 requests to gemini-2.5-flash?"
    assert "**50** of 60" in body
    assert "10 rows, for 0.0" in body
    assert body.count("\n") > 10
    assert "not-a-secret" not in str(left.asked) + body
    manifest = attempt(client, tmp_path, task, pilot=ALWAYS).answered(answer(question.yes), left.asked)
    assert (asked_at_once(emulator), sizes(emulator, client)) == (10, [50])
    assert (manifest["counts"]["ok"], len(rows(tmp_path))) == (60, 60)
    approved = manifest["plan"]["approved"]
    assert (approved["by"], approved["usd"]) == ("alice", float(question.usd))
    assert manifest["plan"]["cost"]["batch"]["most"] <= approved["usd"]


def test_who_rejects_is_named_with_what_the_pilot_cost_and_the_others_are_not_asked(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    task = PlainTask()
    left = parked(client, tmp_path, task)
    with pytest.raises(ApprovalRejected, match="alice rejected it") as no:
        attempt(client, tmp_path, task, pilot=ALWAYS).answered(answer("Reject"), left.asked)
    assert "50 requests were not submitted. The pilot cost 0.0" in str(no.value)
    assert no.value.by == "alice"
    assert no.value.manifest is not None
    assert no.value.manifest["counts"]["ok"] == 10
    assert (asked_at_once(emulator), emulator.jobs) == (10, [])
    again = parked(client, tmp_path, PlainTask(is_first_try=False, remembered=task.remembered))
    assert again.question == left.question  # after a clear it is asked again, and the pilot is not
    assert asked_at_once(emulator) == 10


@pytest.mark.parametrize(
    "event",
    [
        answer("Approve"),
        answer("Approve up to 0.000001 USD"),
        answer("Approve up to 1000000 USD"),
        answer(),
        answer("Reject", "Approve up to 1000000 USD"),
        {"chosen_options": None, "responded_by_user": ALICE},
    ],
)
def test_only_the_option_that_was_asked_counts(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, event: dict[str, Any]
) -> None:
    task = PlainTask()
    left = parked(client, tmp_path, task)
    with pytest.raises(ApprovalOutdated, match="no answer to 'Approve up to"):
        attempt(client, tmp_path, task, pilot=ALWAYS).answered(event, left.asked)
    assert not emulator.jobs
    assert task.remembered is None


@pytest.mark.parametrize("event", ["default", "none"])
def test_what_counts_when_nobody_answers_is_the_setting_whatever_default_airflow_chose(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, event: str
) -> None:
    approval = Approval(0, timeout=timedelta(hours=8))
    left = parked(client, tmp_path, pilot=Pilot(10, approve_above=approval))
    assert (left.question.timeout, left.question.on_timeout) == (8 * 3600, "Reject")
    assert "Without an answer within 8 h, it is rejected" in left.question.body
    told = answer(left.question.yes, user=None, timedout=True)
    if event == "none":
        told = {"error": "The time has passed.", "error_type": "timeout"}
    with pytest.raises(ApprovalRejected) as no:
        attempt(client, tmp_path, pilot=Pilot(10, approve_above=approval)).answered(told, left.asked)
    assert no.value.by is None
    assert not emulator.jobs
    agreed = Pilot(10, approve_above=approval.model_copy(update={"on_timeout": "approve"}))
    left = parked(client, tmp_path, PlainTask(is_first_try=False), pilot=agreed)
    manifest = attempt(client, tmp_path, pilot=agreed).answered(told, left.asked)
    assert manifest["plan"]["approved"]["by"] is None
    assert manifest["counts"]["ok"] == 60


@pytest.mark.parametrize("remembers", [True, False])
def test_a_retry_after_an_approval_asks_nobody_again_and_pays_nothing_again(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path, *, remembers: bool
) -> None:
    task = PlainTask(remembers=remembers)
    how = {"deferrable": True, "max_requests_per_job": 30, "max_active_jobs": 1, "pilot": ALWAYS}
    left = parked(client, tmp_path, task, **how)
    with pytest.raises(Deferred) as first:
        attempt(client, tmp_path, task, **how).answered(answer(left.question.yes), left.asked)
    assert sizes(emulator, client) == [30]  # and here the worker, or the triggerer's event, is lost
    ended(client, first.value)
    retry = PlainTask(is_first_try=False, kept=task.kept, remembered=task.remembered)
    with pytest.raises(Deferred) as second:
        run(client, tmp_path, retry, **how)
    manifest = attempt(client, tmp_path, retry, **how).complete(ended(client, second.value))
    assert (asked_at_once(emulator), sizes(emulator, client)) == (10, [30, 20])
    assert manifest["counts"]["ok"] == 60
    assert (manifest["plan"]["approved"] is not None) is remembers


def test_an_approval_is_not_for_more_nor_for_another_input(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    left = parked(client, tmp_path)
    fingerprint = left.asked["fingerprint"]
    enough, usd = Approved(usd=1, fingerprint=fingerprint, by="alice"), float(left.question.usd)
    less, other = (
        enough.model_copy(update={"usd": usd / 2}),
        enough.model_copy(update={"fingerprint": "another"}),
    )
    for known in (less, other):
        parked(client, tmp_path, PlainTask(is_first_try=False, remembered=known))
    parked(client, tmp_path, PlainTask(is_first_try=False, remembered=enough), reattach=False)
    assert not emulator.jobs
    changed: dict[str, Any] = {"source": lambda: [f"another {at}" for at in range(60)]}
    with pytest.raises(InputError, match="The input has changed"):
        attempt(client, tmp_path, pilot=ALWAYS, **changed).answered(answer(left.question.yes), left.asked)
    assert not emulator.jobs


def test_an_amount_below_asks_nobody(emulator: Emulator, client: GenAIBatchClient, tmp_path: Path) -> None:
    manifest = run(client, tmp_path, pilot=Pilot(10, approve_above=1))
    assert (manifest["counts"]["ok"], manifest["plan"]["approved"]) == (60, None)
    assert sizes(emulator, client) == [50]


def test_the_others_asked_at_once_are_approved_too_and_a_retry_sees_that_they_were_begun(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    task = PlainTask(remembers=False)
    left = parked(client, tmp_path, task, tier="standard")
    manifest = attempt(client, tmp_path, task, tier="standard", pilot=ALWAYS).answered(
        answer(left.question.yes), left.asked
    )
    assert manifest["counts"]["ok"] == 60
    again = run(client, tmp_path, PlainTask(is_first_try=False), tier="standard", pilot=ALWAYS)
    assert again["counts"]["ok"] == 60
    assert asked_at_once(emulator) == 60


def test_the_question_of_an_earlier_attempt_is_closed_or_its_answer_counts(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    from airflow_provider_genai_batch.flows.submission.attempt import Attempt

    task = PlainTask()
    left = parked(client, tmp_path, task)
    retry, first = PlainTask(is_first_try=False), Attempt(look_first=True)
    nobody = answer(left.question.yes, user=None, timedout=True)
    for event in (nobody, answer("Approve up to 0.0000001 USD")):
        with pytest.raises(Parked):
            attempt(client, tmp_path, retry, pilot=ALWAYS).collected(event, left.asked, first)
    with pytest.raises(ApprovalRejected):
        attempt(client, tmp_path, retry, pilot=ALWAYS).collected(answer("Reject"), left.asked, first)
    manifest = attempt(client, tmp_path, retry, pilot=ALWAYS).collected(
        answer(left.question.yes), left.asked, first
    )
    assert (manifest["counts"]["ok"], manifest["plan"]["approved"]["by"]) == (60, "alice")
    assert (asked_at_once(emulator), sizes(emulator, client)) == (10, [50])


def test_answers_of_a_model_are_plain_text_in_the_question(tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>\n![](http://evil.example/) | ~~~\n~~~~~~ [a](javascript:b) \x1b[2J\u202e"
    with Emulator(answer=lambda _: hostile) as emulator:
        from airflow_provider_genai_batch.client import ClientConfig
        from airflow_provider_genai_batch.models.base import Backend

        config = ClientConfig(Backend.GEMINI, api_key="not-a-secret", host=emulator.url)
        with GenAIBatchClient(config) as client:
            left = parked(client, tmp_path)
    text = left.question.body
    fence = "~" * 7
    head, block, tail = text.split(f"\n{fence}")
    assert tail == ""
    assert "evil" in block
    assert "evil" not in head
    assert all(line.startswith("r0") or line in ("text", "") for line in block.splitlines())
    assert not {"\x1b", "\u202e"} & {*text}


def test_rows_that_are_due_are_asked_about_at_their_dearest_and_only_as_long_as_there_is_time(
    client: GenAIBatchClient, tmp_path: Path
) -> None:
    due_at = datetime.now(timezone.utc) + timedelta(hours=3)
    how = {"ready_by": ReadyBy(at=due_at)}
    task = PlainTask()
    plain, due = parked(client, tmp_path, task), parked(client, tmp_path, task, **how)
    assert due.question.usd > plain.question.usd
    assert "If the rest is sent as immediate calls at the deadline" in due.question.body
    assert due.question.timeout is not None
    assert 0 < due.question.timeout < 3 * 3600
    with pytest.raises(ConfigurationError, match=r"may send the other requests to 'gemini-2\.5-pro'"):
        run(
            client,
            tmp_path,
            task,
            pilot=ALWAYS,
            ready_by=ReadyBy(at=timedelta(hours=3), model="gemini-2.5-pro"),
        )


def test_a_model_without_a_price_is_refused_before_anything_is_sent(
    emulator: Emulator, client: GenAIBatchClient, tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"approve_above=0 cannot be checked: the price list does not have"
    ):
        run(client, tmp_path, pilot=ALWAYS, model="gemini-9-unheard-of")
    assert not emulator.requests


@pytest.mark.parametrize(
    ("approval", "said"),
    [
        (-1, "give USD, 0 or more"),
        ("much", "give USD, 0 or more"),
        (True, "give USD, 0 or more"),
        (Approval(1, timeout=0), "give seconds above 0"),
        (Approval(1, on_timeout="wait"), "on_timeout of approve_above"),
        (Approval(1, assigned_users=[]), "at least one"),
        (Approval(1, assigned_users=[{"name": "alice"}]), "at least one"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: GenAIBatchClient, tmp_path: Path, approval: Any, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempt(client, tmp_path, pilot=Pilot(10, approve_above=approval))


@pytest.mark.parametrize(
    ("exact", "shown"),
    [(12.01, "13"), (0.00203, "0.0021"), (1234.5, "1300"), (5.0, "5.0"), (0.99999, "1.00")],
)
def test_an_amount_is_rounded_up_and_is_read_from_its_option_again(exact: float, shown: str) -> None:
    usd = rounded_up(exact)
    assert option_of(usd) == f"Approve up to {shown} USD"
    assert amount_in(option_of(usd)) == usd >= Decimal(str(exact))
    assert amount_in(f"{option_of(usd)} or more") is None
