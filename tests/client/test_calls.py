"""Every call, through both clients, on both services."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_genai_batch.client.calls import Calls
from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    ApiError,
    ConfigurationError,
    InputError,
    NotFound,
    PreconditionFailed,
    RequestError,
    TransportError,
    UnreadableAnswer,
    UnsupportedError,
)
from airflow_provider_genai_batch.flows.drive import drive
from airflow_provider_genai_batch.models import JobState, RowStatus
from airflow_provider_genai_batch.wire.services.http import HttpAnswer
from tests.client.places import MODEL, PROJECT, Either, lines, vertex_config


def test_a_created_job_is_found_under_its_name_with_what_was_sent(either: Either) -> None:
    either.emulator.script(JobScript(lifecycle=Lifecycle.stuck()))
    job = either.create(display_name="nightly 42")
    seen = either.client.get(job.name)
    assert seen.name == job.name == either.emulator.jobs[0]["name"]
    assert (seen.display_name, seen.backend.value) == (
        "nightly 42",
        "vertex" if either.vertex else "gemini",
    )
    assert seen.model.endswith(MODEL)
    assert seen.create_time is not None
    assert seen.state is JobState.PENDING


def test_a_job_ends_with_a_row_for_each_request(either: Either) -> None:
    job = either.create("a", "b", "c")
    either.client.get(job.name)
    ended = either.client.get(job.name)
    assert ended.state is JobState.SUCCEEDED
    assert ended.counts.total == ended.counts.succeeded == 3
    rows = either.client.rows(ended)
    assert {row.key: row.status for row in rows} == dict.fromkeys("abc", RowStatus.OK)


def test_an_error_of_a_row_is_read_also_where_its_status_is_an_object(either: Either) -> None:
    wrong = {"code": 8, "message": "quota is used up"}
    either.emulator.script(
        JobScript(lifecycle=Lifecycle.at_once(), status_object=True, row_errors={"b": wrong})
    )
    rows = {row.key: row for row in either.client.rows(either.create("a", "b").name)}
    assert rows["a"].status is RowStatus.OK
    assert (rows["b"].status, rows["b"].error.code) == (RowStatus.ERROR, 8)
    assert (rows["b"].error.status, rows["b"].error.message) == ("RESOURCE_EXHAUSTED", "quota is used up")


@pytest.mark.parametrize(
    "said", [b'{"name": "operations/abc"}', b'{"name": "batches/another", "state": "9"}']
)
def test_an_answer_about_something_else_says_nothing_of_the_job(either: Either, said: bytes) -> None:
    for call in (either.client.calls.look, either.client.calls.get):
        with pytest.raises(UnreadableAnswer, match="instead of"):
            call("42" if either.vertex else "batches/one").read(HttpAnswer(200, {}, said))


def test_rows_of_a_job_can_be_asked_for_by_name(either: Either) -> None:
    either.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    job = either.create("a")
    (row,) = either.client.rows(job.name, keep_response=True)
    assert row.response["candidates"]


def test_embeddings_are_created_by_their_own_call_and_read_as_numbers(emulator: Emulator, gem: Any) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    job = gem.create("gemini-embedding-001", ["one", "two"])
    rows = gem.rows(job.name)
    assert emulator.requests[0]["method"] == "batches.createEmbeddings"
    assert all(isinstance(row.output[0], float) and row.text is None for row in rows)
    assert rows[0].usage.input > 0


def test_a_job_over_an_uploaded_file_answers_in_a_file(emulator: Emulator, gem: Any, tmp_path: Any) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines("a", "b"))
    emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    name = gem.upload(tmp_path / "in.jsonl")
    job = gem.get(gem.create(MODEL, name).name)
    assert job.source.file_name == name
    assert job.output.file_name.startswith("files/batch-")
    assert {row.key for row in gem.rows(job)} == {"a", "b"}


@pytest.mark.parametrize("bare", [False, True])
def test_a_job_over_a_file_that_answers_inline_is_read_all_the_same(
    emulator: Emulator, gem: Any, tmp_path: Any, bare: bool
) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines("a", "b"))
    emulator.script(JobScript(lifecycle=Lifecycle.at_once(), inline_results=True, bare_list=bare))
    job = gem.create(MODEL, gem.upload(tmp_path / "in.jsonl"))
    assert {row.key for row in gem.rows(job.name)} == {"a", "b"}


def test_a_look_carries_no_rows(emulator: Emulator, gem: Any) -> None:
    emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    job = gem.create(MODEL, ["hi"])
    looked = gem.perform(gem.calls.look(job.name))
    whole = gem.perform(gem.calls.get(job.name, read=lambda answer: answer))
    masked = gem.perform(_raw(gem.calls.look(job.name)))
    assert looked.state is JobState.SUCCEEDED
    assert b"candidates" in whole.body
    assert b"candidates" not in masked.body


def test_a_list_is_newest_first_over_all_its_pages(either: Either) -> None:
    names = [either.create().name for _ in range(5)]
    listed = [job.name for job in either.client.list(page_size=2)]
    mine = [name for name in listed if name in names]
    assert mine == names[::-1]
    assert sum(1 for one in either.emulator.requests if one["method"].endswith(".list")) >= 3


def test_an_empty_page_with_a_token_does_not_end_a_list(either: Either) -> None:
    either.emulator.script(JobScript(empty_page=True))
    name = either.create().name
    assert [job.name for job in either.client.list()] == [name]


def test_a_list_that_leads_in_circles_ends_with_a_warning(
    either: Either, caplog: pytest.LogCaptureFixture
) -> None:
    name = either.create().name
    either.emulator.faults.add(f"{either.service}.list", Fault.same_token(times=2))
    assert {job.name for job in either.client.list()} == {name}
    assert "reading it stops here" in caplog.text


@pytest.mark.parametrize(
    "named", ["operations/abc", "123", "", "batches/a/b", "projects/p/locations/l/jobs/1"]
)
def test_the_answer_to_a_create_that_names_no_job_is_unreadable(either: Either, named: str) -> None:
    either.emulator.faults.add(f"{either.service}.create", Fault.misnamed(named))
    with pytest.raises(UnreadableAnswer, match=r"no job|not a job"):
        either.create()
    assert len(either.emulator.jobs) == 1


def test_vertex_filters_a_list_by_label(on_vertex: Either) -> None:
    on_vertex.create(labels={"run": "r-1"})
    wanted = on_vertex.create(labels={"run": "r-2"})
    assert [
        job.name for job in on_vertex.client.list(filter='labels.run=r-2 AND display_name:"genai_*"')
    ] == [wanted.name]
    assert wanted.labels == {"run": "r-2"}


def test_gemini_refuses_a_filter_before_it_sends(emulator: Emulator, gem: Any) -> None:
    with pytest.raises(InputError, match="cannot filter"):
        gem.list(filter="state=x")
    assert emulator.requests == []


def test_a_cancelled_job_ends_so(either: Either) -> None:
    either.emulator.script(JobScript(lifecycle=Lifecycle.stuck()))
    job = either.create()
    assert either.client.cancel(job.name) is None
    states = [either.client.get(job.name).state for _ in range(3)]
    assert states[-1] is JobState.CANCELLED


def test_a_deleted_job_is_gone_when_delete_returns(either: Either) -> None:
    either.emulator.script(JobScript(lifecycle=Lifecycle.at_once()))
    job = either.create()
    either.client.get(job.name)
    either.client.delete(job.name)
    assert either.emulator.jobs[0]["deleted"]
    with pytest.raises(NotFound):
        either.client.get(job.name)


def test_a_deletion_that_the_service_refuses_is_an_error(on_vertex: Either) -> None:
    job = on_vertex.create()
    with pytest.raises(PreconditionFailed):
        on_vertex.client.delete(job.name)


def test_a_deletion_that_fails_in_its_operation_is_an_error(
    vertex_emulator: Emulator,
) -> None:
    flow = _delete(Calls(vertex_config(vertex_emulator)), "1")
    next(flow)
    call = flow.send("projects/1/locations/us-central1/operations/2")
    assert call.request.url.endswith("/v1/projects/1/locations/us-central1/operations/2")
    with pytest.raises(ApiError, match="not now"):
        flow.send({"done": True, "error": {"code": 9, "message": "not now"}})


def test_a_deletion_that_never_ends_is_given_up(ver: Any) -> None:
    flow = _delete(ver.calls, "1")
    next(flow)
    flow.send("projects/1/locations/us-central1/operations/2")
    with pytest.raises(TransportError, match="is still in progress"):
        drive(_sending(flow, {}), lambda step: {} if hasattr(step, "request") else None)


def test_a_bare_id_is_looked_up_where_the_connection_is(on_vertex: Either) -> None:
    job = on_vertex.create()
    number = job.name.rpartition("/")[2]
    assert on_vertex.client.get(number).name == job.name
    path = on_vertex.emulator.requests[-1]["path"]
    assert path == f"/v1/projects/{PROJECT}/locations/us-central1/batchPredictionJobs/{number}"


def test_sources_of_the_other_service_are_refused_before_they_are_sent(either: Either) -> None:
    source = "files/abc" if either.vertex else "gs://bucket/in.jsonl"
    with pytest.raises(UnsupportedError):
        either.client.create(MODEL, source)
    assert [one for one in either.emulator.requests if one["method"] != "oauth.token"] == []


@pytest.mark.parametrize("name", ["display_name", "dest", "webhook"])
def test_a_setting_given_flat_and_in_config_is_refused_before_it_is_sent(
    emulator: Emulator, gem: Any, name: str
) -> None:
    flat = {"display_name": "a", "dest": "gs://b/one/", "webhook": "https://h.example/one"}[name]
    inside = {
        "display_name": {"display_name": "b"},
        "dest": {"dest": "gs://b/two/"},
        "webhook": {"webhook_config": {"uris": ["https://h.example/two"]}},
    }[name]
    with pytest.raises(ConfigurationError, match=f"{name} is given twice"):
        gem.create(MODEL, ["hi"], config=inside, **{name: flat})
    assert emulator.requests == []


def test_an_unknown_model_is_said_to_be_unknown(either: Either) -> None:
    source: Any = "gs://b/in.jsonl" if either.vertex else ["hi"]
    dest = "gs://b/out/" if either.vertex else None
    with pytest.raises(NotFound) as caught:
        either.client.create("no-such-model", source, dest=dest)
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert either.emulator.jobs == []


def test_a_body_over_the_limit_is_refused_before_it_is_sent(emulator: Emulator, gem: Any) -> None:
    with pytest.raises(InputError, match="20971520"):
        gem.create(MODEL, ["x" * (20 * 1024 * 1024)])
    assert emulator.requests == []


def test_rows_that_come_late_are_told_from_none(emulator: Emulator, gem: Any, tmp_path: Any) -> None:
    (tmp_path / "in.jsonl").write_bytes(lines("a"))
    emulator.script(JobScript(lifecycle=Lifecycle.at_once(), late_output=1))
    job = gem.create(MODEL, gem.upload(tmp_path / "in.jsonl"))
    try:
        first = gem.rows(job.name)
    except ApiError:
        first = []
    assert first == []
    assert [row.key for row in gem.rows(job.name)] == ["a"]


def test_a_status_that_is_neither_done_nor_refused_is_unreadable(gem: Any) -> None:
    from airflow_provider_genai_batch.client.transport.retries import send_with_retries

    for status in (204, 302):
        flow = send_with_retries(gem.calls.get("batches/a"), tries=1)
        next(flow)
        with pytest.raises(UnreadableAnswer, match=str(status)):
            flow.send(HttpAnswer(status, {}, b""))


def test_a_redirected_create_is_not_followed(emulator: Emulator, gem: Any) -> None:
    emulator.faults.add("batches.create", Fault.redirect(f"{emulator.url}/elsewhere"))
    with pytest.raises(UnreadableAnswer, match="307"):
        gem.create(MODEL, ["hi"])
    assert len(emulator.requests) == 1


def _raw(call: Any) -> Any:
    from dataclasses import replace

    return replace(call, read=lambda answer: answer)


def _delete(calls: Calls, name: str) -> Any:
    from airflow_provider_genai_batch.client.jobs import delete_job

    return delete_job(calls, name, lambda: 0.0)


def _sending(flow: Any, first: Any) -> Any:
    """Go on with a flow that has begun."""
    step = flow.send(first)
    while True:
        step = flow.send((yield step))


def test_a_create_refuses_what_can_stand_in_no_request_and_a_model_of_the_other_service(
    emulator: Emulator, gem: Any
) -> None:
    with pytest.raises(RequestError, match="request_defaults: unknown field 'temprature'"):
        gem.create(MODEL, ["hi"], request_defaults={"temprature": 0})
    with pytest.raises(ConfigurationError, match="is a name of Vertex AI"):
        gem.create(f"publishers/google/models/{MODEL}", ["hi"])
    assert emulator.requests == []


def test_a_job_that_is_not_there_is_named(gem: Any) -> None:
    for ask in (gem.get, gem.cancel, gem.delete, lambda name: gem.perform(gem.calls.look(name))):
        with pytest.raises(NotFound, match="batches/no-such-job"):
            ask("batches/no-such-job")
