"""The outcome table: what becomes of the task when the waiting is over."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    JobCancelled,
    JobError,
    JobExpired,
    JobFailed,
    JobLost,
    JobPaused,
    JobTimedOut,
    NotFound,
    OutputNotReadable,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.flows.outcome.bigquery_output import standing
from airflow_provider_genai_batch.flows.outcome.collect import CLOCKS_APART, READ_PATIENCE
from airflow_provider_genai_batch.flows.outcome.manifest import describe
from airflow_provider_genai_batch.flows.outcome.settle import AskAgain, settle
from airflow_provider_genai_batch.flows.steps import CountTables, Discard, Fetch, Sleep
from airflow_provider_genai_batch.flows.watch import Ending, Why
from airflow_provider_genai_batch.models import (
    BatchJob,
    BatchSource,
    JobCounts,
    JobOutput,
    JobState,
    Manifest,
    RowCounts,
)
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.table_counts import TableCounts
from airflow_provider_genai_batch.wire.services.storage import split_uri
from tests.flows.desk import NAME, Desk
from tests.pauses import at_pauses

AT_ONCE = Lifecycle.at_once()


def _ended(desk: Desk, **script: Any) -> str:
    desk.emulator.script(JobScript(**{"lifecycle": AT_ONCE, **script}))
    name = desk.submit().name
    desk.client.get(name)
    return name


def _method(desk: Desk, verb: str) -> str:
    return f"{desk.place.service}.{verb}"


def test_a_job_whose_rows_are_all_good_becomes_a_manifest(desk: Desk) -> None:
    name = _ended(desk)
    manifest = desk.settle(name)
    assert manifest.counts == RowCounts(total=3, ok=3)
    assert (manifest.job_names, manifest.state, manifest.display_name) == ((name,), "SUCCEEDED", NAME)
    assert manifest.usage is not None
    assert manifest.usage.total > 0
    assert manifest.create_time is not None
    assert manifest.end_time is not None
    assert manifest.source == ("gs://emulator-staging/flows/in.jsonl" if desk.place.vertex else "inline")
    assert len(manifest.model_dump_json()) < 4096


def test_settling_again_gives_the_same_and_pays_nothing(desk: Desk) -> None:
    name = _ended(desk)
    assert desk.settle(name) == desk.settle(name)
    assert desk.posts() == 1


@pytest.mark.parametrize("allowed", [1, 1.0 / 3, 0.34, 3])
def test_as_many_rows_may_fail_as_are_allowed(desk: Desk, allowed: float) -> None:
    assert desk.settle(_ended(desk, row_errors={"b": 3}), allowed=allowed).counts == RowCounts(
        total=3, ok=2, error=1
    )


@pytest.mark.parametrize("allowed", [0, 0.0, 0.3])
def test_one_row_too_many_fails_the_task_with_counts_and_causes(desk: Desk, allowed: float) -> None:
    name = _ended(desk, row_errors={"b": {"code": 13, "message": "out of luck"}})
    with pytest.raises(TooManyFailedRows) as caught:
        desk.settle(name, allowed=allowed)
    error = caught.value
    assert "1 of 3 rows failed (1 error)" in str(error)
    assert "out of luck" in str(error)
    assert "pays nothing" in str(error)
    assert error.job_names == (name,)
    assert error.manifest is not None
    assert error.manifest["counts"]["error"] == 1


@pytest.mark.parametrize("end", ["EXPIRED", "CANCELLED"])
def test_an_error_says_what_the_next_attempt_pays_for(desk: Desk, end: str) -> None:
    with pytest.raises(TooManyFailedRows, match=r"pays nothing for them, and submits the failed ones again"):
        desk.settle(_ended(desk, end=end, served=0.5))


def test_failed_rows_in_a_table_that_nobody_counts_are_not_known_and_cannot_be_asked_again() -> None:
    counts = JobCounts(total=10, succeeded=8, failed=2, pending=0)
    flow = settle(
        Ending(Why.ENDED, {}), ["1"], max_failed_rows=0, results_uri=None, clock=lambda: 0, may_ask_again=True
    )
    next(flow)
    assert isinstance(flow.send(_table_job(counts=counts)), Discard)
    assert isinstance(flow.send(None), CountTables)
    with pytest.raises(StopIteration) as end:
        flow.send(None)
    again = end.value.value
    assert isinstance(again, AskAgain)
    assert (again.tally, type(again.failure), again.tables) == (None, TooManyFailedRows, ())


def test_a_job_that_succeeded_is_judged_by_its_rows(desk: Desk) -> None:
    with pytest.raises(TooManyFailedRows, match="3 of 3 rows failed"):
        desk.settle(_ended(desk, all_rows_fail=3))


def test_rows_that_never_came_are_missing(desk: Desk) -> None:
    desk.keys = ["a", "b", "c"]
    with pytest.raises(TooManyFailedRows, match="1 missing"):
        desk.settle(_ended(desk, missing=["b"]))


def test_blocked_rows_are_invalid(gemini_desk: Desk) -> None:
    with pytest.raises(TooManyFailedRows, match=r"1 invalid.*blocked|1 invalid"):
        gemini_desk.settle(_ended(gemini_desk, blocked=["a"]))


def test_a_row_that_comes_twice_counts_once(desk: Desk) -> None:
    assert desk.settle(_ended(desk, duplicated=["a"])).counts == RowCounts(total=3, ok=3)


@pytest.mark.parametrize("late", [1, 3])
def test_output_that_is_late_is_waited_for(desk: Desk, late: int) -> None:
    assert desk.settle(_ended(desk, late_output=late + 1)).counts == RowCounts(total=3, ok=3)
    assert desk.posts() == 1


def test_output_that_never_comes_is_an_error_after_a_bounded_time(desk: Desk) -> None:
    name = _ended(desk, late_output=10_000)
    begun = desk.now()
    with pytest.raises(OutputNotReadable, match="paid for"):
        desk.settle(name)
    assert READ_PATIENCE - 61 <= desk.now() - begun <= READ_PATIENCE + 60  # what the machine takes is added


def test_a_job_that_failed_says_the_services_own_reason(desk: Desk) -> None:
    name = _ended(desk, end="FAILED", error={"code": 8, "message": "enqueued tokens"}, served=0)
    with pytest.raises(JobFailed, match="code 8: enqueued tokens") as caught:
        desk.settle(name)
    assert "submits a new job" in str(caught.value)
    assert caught.value.manifest is not None


@pytest.mark.parametrize(("end", "kind"), [("EXPIRED", JobExpired), ("CANCELLED", JobCancelled)])
def test_a_job_that_ended_early_without_rows_is_named_for_its_end(
    desk: Desk, end: str, kind: type[JobError]
) -> None:
    with pytest.raises(kind, match="has no rows"):
        desk.settle(_ended(desk, end=end, served=0))
    assert desk.naps == []


@pytest.mark.parametrize("end", ["EXPIRED", "CANCELLED"])
def test_a_job_that_ended_early_with_rows_is_judged_by_them(desk: Desk, end: str) -> None:
    name = _ended(desk, end=end, served=0.67)
    try:
        manifest = desk.settle(name, allowed=3)
    except (JobExpired, JobCancelled):
        pytest.fail("rows that came back were not looked at")
    assert manifest.counts is not None
    assert (manifest.counts.total, manifest.counts.ok, manifest.state) == (3, 2, end)
    with pytest.raises(TooManyFailedRows):
        desk.settle(name)


def test_a_job_that_was_cancelled_while_it_ran_is_judged_by_its_rows(gemini_desk: Desk) -> None:
    gemini_desk.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING"), served=0.34))
    name = gemini_desk.submit().name
    gemini_desk.client.get(name)
    gemini_desk.client.cancel(name)
    manifest = gemini_desk.settle(name, allowed=2)
    assert manifest.state == "SUCCEEDED"
    assert manifest.counts == RowCounts(total=3, ok=1, cancelled=2)


def test_a_job_that_succeeded_in_part_is_judged_by_its_rows(desk: Desk) -> None:
    manifest = desk.settle(_ended(desk, end="PARTIALLY_SUCCEEDED", row_errors={"c": 13}), allowed=1)
    assert (manifest.state, manifest.counts) == ("PARTIALLY_SUCCEEDED", RowCounts(total=3, ok=2, error=1))


def test_a_paused_job_is_left_alone(desk: Desk) -> None:
    with pytest.raises(JobPaused, match="left alone"):
        desk.settle(_ended(desk, end="PAUSED"))
    assert not desk.emulator.jobs[0]["cancel_requested"]


def test_a_lost_job_is_named() -> None:
    flow = settle(
        Ending(Why.LOST, {}, "batches/a: 403 no"),
        ["batches/a"],
        max_failed_rows=0,
        results_uri=None,
        clock=lambda: 0,
    )
    with pytest.raises(JobLost, match=r"batches/a: 403 no.*may still run"):
        next(flow)


@pytest.mark.parametrize(
    ("cancelled", "said"), [(True, "Cancellation was requested"), (False, "left running")]
)
def test_a_deadline_says_what_became_of_the_job_and_the_money(cancelled: bool, said: str) -> None:
    ending = Ending(Why.TIMED_OUT, {"batches/a": "BATCH_STATE_RUNNING"}, "timeout", cancelled=cancelled)
    flow = settle(ending, ["batches/a"], max_failed_rows=0, results_uri=None, clock=lambda: 0)
    with pytest.raises(JobTimedOut, match=said) as caught:
        next(flow)
    assert "batches/a (BATCH_STATE_RUNNING)" in str(caught.value)
    assert "billed" in str(caught.value)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_ended_job_that_cannot_be_fetched_any_more_is_lost(gemini_desk: Desk, status: int) -> None:
    name = _ended(gemini_desk)
    gemini_desk.emulator.faults.add("batches.get", Fault.error(status))
    with pytest.raises(JobLost, match=name):
        gemini_desk.settle(name)


def test_trouble_in_fetching_an_ended_job_is_waited_out(desk: Desk) -> None:
    name = _ended(desk)
    desk.emulator.faults.add(_method(desk, "get"), Fault.error(503, times=4))
    assert desk.settle(name).counts == RowCounts(total=3, ok=3)
    desk.emulator.faults.add(_method(desk, "get"), Fault.error(503, times=1000))
    with pytest.raises(OutputNotReadable, match="does not return it"):
        desk.settle(name)
    desk.emulator.faults.clear()


def test_answers_that_are_too_large_to_come_inside_the_job_are_called_that(gemini_desk: Desk) -> None:
    """A job of a thousand inline pictures was seen to answer every look at its rows with 503."""
    told = r"503.*paid for.*answers itself.*send such requests as a file"
    gemini_desk.emulator.script(JobScript(lifecycle=AT_ONCE, large_results=True))
    with pytest.raises(OutputNotReadable, match=told):
        gemini_desk.settle(gemini_desk.submit().name)
    name = _ended(gemini_desk)

    real = gemini_desk.rows

    def rows(job: BatchJob) -> Any:
        gemini_desk.emulator.faults.clear()
        gemini_desk.emulator.faults.add("batches.get", Fault.error(503, times=5))
        yield from real(job)

    gemini_desk.rows = rows
    with at_pauses(lambda _: None), pytest.raises(OutputNotReadable, match=told):
        gemini_desk.settle(name)
    gemini_desk.emulator.faults.clear()


def test_trouble_in_reading_does_not_say_that_there_are_no_rows(
    gemini_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled job promises no rows, but a front end's 502 does not say that it has none."""
    name = _ended(gemini_desk, end="CANCELLED", served=0.67)
    real, failures = gemini_desk.rows, [1, 1]

    def rows(job: BatchJob) -> Any:
        if failures:
            failures.pop()
            gemini_desk.emulator.faults.add("batches.get", Fault.html(502, times=5))
        return real(job)

    monkeypatch.setattr(gemini_desk, "rows", rows)
    with at_pauses(lambda _: None):
        manifest = gemini_desk.settle(name, allowed=3)
    assert manifest.counts is not None
    assert manifest.counts.ok == 2


def test_rows_of_strangers_do_not_stand_for_requests(desk: Desk) -> None:
    desk.keys = ["a", "b", "c"]
    with pytest.raises(TooManyFailedRows, match="1 missing"):
        desk.settle(_ended(desk, missing=["b"], unknown_keys=["stranger"]))


def test_several_jobs_are_one_outcome(gemini_desk: Desk) -> None:
    names = [_ended(gemini_desk), _ended(gemini_desk, end="PARTIALLY_SUCCEEDED")]
    # Two jobs of one input have the same keys, so rows of the second do not count again.
    with pytest.raises(TooManyFailedRows, match="3 missing"):
        gemini_desk.settle(*names)


def _table_job(**fields: Any) -> BatchJob:
    given = {
        "name": "projects/p/locations/l/batchPredictionJobs/1",
        "output": JobOutput(bigquery_table="bq://p.d.t"),
        "state": JobState.SUCCEEDED,
        **fields,
    }
    return BatchJob(backend=Backend.VERTEX, **given)


def _settled(job: BatchJob, table: TableCounts, allowed: float = 0) -> Manifest:
    flow = settle(
        Ending(Why.ENDED, {}), [job.name], max_failed_rows=allowed, results_uri=None, clock=lambda: 0
    )
    next(flow)
    flow.send(job)
    flow.send(None)
    with pytest.raises(StopIteration) as end:
        flow.send({job.name: table})
    manifest: Manifest = end.value.value.manifest
    return manifest


def test_rows_in_a_table_that_nobody_counts_are_counted_by_the_service() -> None:
    counts = JobCounts(total=10, succeeded=8, failed=1, pending=1)
    flow = settle(Ending(Why.ENDED, {}), ["1"], max_failed_rows=2, results_uri=None, clock=lambda: 0)
    assert isinstance(next(flow), Fetch)
    assert isinstance(flow.send(_table_job(counts=counts)), Discard)
    assert isinstance(flow.send(None), CountTables)
    with pytest.raises(StopIteration) as end:
        flow.send(None)
    manifest = end.value.value.manifest
    assert manifest.counts == RowCounts(total=10, ok=8, error=1, missing=1)
    assert manifest.output == ("bq://p.d.t",)


@pytest.mark.parametrize(
    ("allowed", "failed", "total", "passes"),
    [
        (0.29, 29, 100, True),
        (0.29, 30, 100, False),
        (0.5, 1, 3, True),
        (0.5, 2, 3, False),
        (1.0, 3, 3, True),
        (1, 2, 3, False),
        (2, 2, 3, True),
    ],
)
def test_a_fraction_of_rows_is_rounded_down_and_no_further(
    allowed: float, failed: int, total: int, passes: bool
) -> None:
    counts = JobCounts(total=total, succeeded=total - failed, failed=failed, pending=0)
    flow = settle(Ending(Why.ENDED, {}), ["1"], max_failed_rows=allowed, results_uri=None, clock=lambda: 0)
    next(flow)
    flow.send(_table_job(counts=counts))
    flow.send(None)
    with pytest.raises(StopIteration if passes else TooManyFailedRows):
        flow.send(None)


def test_rows_in_a_table_that_neither_we_nor_the_service_count_yet_are_waited_for() -> None:
    flow = settle(Ending(Why.ENDED, {}), ["1"], max_failed_rows=0, results_uri=None, clock=lambda: 0)
    next(flow)
    flow.send(_table_job())
    flow.send(None)
    assert isinstance(flow.send(None), Sleep)
    assert isinstance(flow.send(None), Fetch)
    flow.send(_table_job(counts=JobCounts(total=1, succeeded=1, failed=0, pending=0)))
    with pytest.raises(StopIteration) as end:
        flow.send(None)
    assert end.value.value.manifest.counts == RowCounts(total=1, ok=1)


@pytest.mark.parametrize("counts", [JobCounts(), JobCounts(total=9, succeeded=2, failed=0, pending=7)])
def test_a_table_decides_against_counters_that_lag_behind_it(counts: JobCounts) -> None:
    manifest = _settled(_table_job(counts=counts), TableCounts(total=3, ok=3))
    assert manifest.counts == RowCounts(total=3, ok=3)


def test_a_table_with_fewer_rows_than_the_service_counted_is_looked_at_again_while_the_job_is_fresh() -> None:
    now = 1_000.0
    job = _table_job(
        counts=JobCounts(total=3, succeeded=3, failed=0),
        end_time=datetime.fromtimestamp(now, tz=timezone.utc),
    )
    flow = settle(Ending(Why.ENDED, {}), ["1"], max_failed_rows=0, results_uri=None, clock=lambda: now)
    next(flow)
    flow.send(job)
    flow.send(None)
    half = {job.name: TableCounts(total=1, ok=1)}
    assert isinstance(flow.send(half), Sleep)
    now += READ_PATIENCE
    assert isinstance(flow.send(None), Fetch)
    flow.send(job)
    with pytest.raises(TooManyFailedRows, match="2 of 3 rows failed"):
        flow.send(half)


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_how_young_a_jobs_end_is_is_told_by_the_services_clock(ahead: float) -> None:
    """This machine's may be an hour off: then rows would be called missing at once, or be awaited for an hour.

    The service's may be ten minutes ahead of the times of its own jobs: their ends look old and are young.
    """
    now = 1_000_000.0
    job = _table_job(
        counts=JobCounts(total=3, succeeded=3, failed=0),
        end_time=datetime.fromtimestamp(now + 1, tz=timezone.utc),
    )
    half = {job.name: TableCounts(total=1, ok=1)}

    def settled(later: float) -> Any:
        flow = settle(
            Ending(Why.ENDED, {}),
            ["1"],
            max_failed_rows=2,
            results_uri=None,
            clock=lambda: now + ahead,
            service_clock=lambda: now + later,
        )
        next(flow)
        flow.send(job)
        flow.send(None)
        return flow.send(half)

    assert isinstance(settled(2.0), Sleep)
    assert isinstance(settled(READ_PATIENCE + 2), Sleep)
    with pytest.raises(StopIteration):
        settled(READ_PATIENCE + CLOCKS_APART + 2)


def test_statuses_of_a_table_are_read_as_those_of_rows_are() -> None:
    cancelled = 'Client Closed Request: {"error":{"code":499,"message":"gone","status":"CANCELLED"}}'
    table = TableCounts(total=20, ok=10, unanswered=1, failures=(("plain words", 4), (cancelled, 3)))
    manifest = _settled(_table_job(), table, allowed=10)
    assert manifest.counts == RowCounts(total=20, ok=10, error=6, cancelled=3, missing=1)
    assert manifest.causes == {
        "plain words": 4,
        "499 CANCELLED: gone": 3,
        "another cause": 2,
        "no line came back": 1,
    }


def test_a_job_that_went_on_with_a_table_takes_its_place_unless_it_has_fewer_good_rows() -> None:
    first = _table_job(name="jobs/1")
    second = _table_job(
        name="jobs/2",
        source=BatchSource(bigquery_uri="bq://p.d.t"),
        output=JobOutput(bigquery_table="bq://p.d.t2"),
        state=JobState.CANCELLED,
    )
    jobs = [first, second]
    for good, stands in ((3, second), (2, second), (1, first)):
        counted = {first.name: TableCounts(total=4, ok=2), second.name: TableCounts(total=4, ok=good)}
        assert standing(jobs, counted) == [stands]
    late = second.model_copy(update={"output": JobOutput(), "state": JobState.SUCCEEDED})
    assert standing([first, late], {first.name: TableCounts(total=4, ok=2)}) == [late]
    lost = late.model_copy(update={"state": JobState.EXPIRED})
    assert standing([first, lost], {first.name: TableCounts(total=4, ok=2)}) == [first]


def test_a_manifest_of_several_jobs_shows_the_least_advanced() -> None:
    running = _table_job(state=JobState.RUNNING)
    manifest = describe([_table_job(), running])
    assert (manifest.state, manifest.end_time, manifest.counts) == ("RUNNING", None, None)


def test_rows_of_a_deleted_output_directory_are_not_readable(make_desk: Any, cloud_storage: Any) -> None:
    desk = make_desk("vertex")
    name = _ended(desk)
    directory = desk.client.get(name).output.gcs_directory
    assert split_uri(directory)[0] == "emulator-staging"
    for uri, _ in cloud_storage.list(f"{directory}/"):
        desk.client.perform(desk.client.calls.delete_object(uri))
    with pytest.raises(OutputNotReadable):
        desk.settle(name)
    with pytest.raises(NotFound):
        desk.client.download(f"{directory}/predictions.jsonl").__next__()
