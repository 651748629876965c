"""The input that this package uploaded goes when its job has ended; what is a user's own stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from airflow_provider_genai_batch.client.storage.input_cleanup import discard_input
from airflow_provider_genai_batch.client.transport.retries import TRIES
from airflow_provider_genai_batch.emulator import Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import NotFound, PermissionDenied, ServerError
from airflow_provider_genai_batch.models import BatchJob, BatchSource, JobState
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import Identity, digest, file_name, object_name
from tests.client.places import BUCKET, MODEL, Either, lines, vertex_config
from tests.client.raw import RawServer, answer

_NUMBERS = count()
NAME = "nightly reviews"


@pytest.fixture
def who() -> Identity:
    return Identity(digest(["task", next(_NUMBERS)]), digest("content"))


def _own(either: Either, tag: str) -> str:
    """Upload an input under the name that this package gives it."""
    if either.vertex:
        return either.client.upload(io.BytesIO(lines("a")), f"{BUCKET}/staging/{object_name(tag)}")
    return either.client.upload(io.BytesIO(lines("a")), name=file_name(tag))


def _users(either: Either, *, number: int = 1) -> str | list[str]:
    """Upload inputs under names of a user's own."""
    if not either.vertex:
        return either.client.upload(io.BytesIO(lines("a")))
    place = f"{BUCKET}/users-{next(_NUMBERS)}"
    return [either.client.upload(io.BytesIO(lines("a")), f"{place}/{one}.jsonl") for one in range(number)]


def _job(either: Either, source: str | list[str], display_name: str) -> BatchJob:
    """Create a job; it goes on."""
    dest = {"dest": f"{BUCKET}/out-{next(_NUMBERS)}/"} if either.vertex else {}
    return either.client.create(MODEL, source, display_name=display_name, **dest)


def _ended(either: Either, source: str | list[str], display_name: str) -> BatchJob:
    job = _job(either, source, display_name)
    for _ in range(10):
        if not job.done:
            job = either.client.get(job.name)
    assert job.state is JobState.SUCCEEDED
    return job


def _discard(either: Either, job: BatchJob) -> str | None:
    return either.client.run(discard_input(either.client.calls, job))


def _there(either: Either, address: str) -> bool:
    calls = either.client.calls
    look: Callable[[str], Any] = calls.get_object if either.vertex else calls.get_file
    try:
        either.client.perform(look(address))
    except (NotFound, PermissionDenied):
        return False
    return True


def test_the_input_of_a_job_that_has_ended_is_deleted_once(either: Either, who: Identity) -> None:
    address = _own(either, who.tag)
    job = _ended(either, address, who.display_name(NAME))
    assert _discard(either, job) == address
    assert not _there(either, address)
    assert _discard(either, job) is None


def test_an_input_that_the_service_does_not_name_is_known_by_the_job(
    on_gemini: Either, who: Identity
) -> None:
    address = _own(on_gemini, who.tag)
    job = _ended(on_gemini, address, who.display_name(NAME)).model_copy(update={"source": None})
    assert _discard(on_gemini, job) == address
    assert not _there(on_gemini, address)


@pytest.mark.parametrize("number", [1, 2])
def test_a_users_own_input_stays(either: Either, who: Identity, number: int) -> None:
    source = _users(either, number=number)
    uploaded = _own(either, who.tag)
    assert _discard(either, _ended(either, source, who.display_name(NAME))) is None
    assert all(_there(either, one) for one in (source if isinstance(source, list) else [source]))
    assert _there(either, uploaded), "an input that this job did not read"


def test_an_own_input_among_others_stays(on_vertex: Either, who: Identity) -> None:
    source = [_own(on_vertex, who.tag), *_users(on_vertex)]
    assert _discard(on_vertex, _ended(on_vertex, source, who.display_name(NAME))) is None
    assert all(_there(on_vertex, one) for one in source)


@pytest.mark.parametrize("name", ["reviews", NAME, f"{NAME} {'0' * 16}-{'g' * 16}-r0"])
def test_the_last_word_of_a_foreign_display_name_is_no_tag(either: Either, name: str) -> None:
    address = _own(either, name.rpartition(" ")[2])
    assert _discard(either, _ended(either, address, name)) is None
    assert _there(either, address)


def test_the_input_stays_while_another_job_of_the_same_ask_reads_it(either: Either, who: Identity) -> None:
    """As a cleared task has submitted it, while a sensor still settles the job before."""
    address = _own(either, who.tag)
    ended = _ended(either, address, who.display_name(NAME))
    labels = who.labels() if either.vertex else {}
    dest = {"dest": f"{BUCKET}/out-{next(_NUMBERS)}/", "labels": labels} if either.vertex else {}
    either.emulator.script(JobScript(lifecycle=Lifecycle.stuck("RUNNING")))
    other = either.client.create(MODEL, address, display_name=who.display_name(NAME), **dest)
    assert _discard(either, ended) is None
    assert _there(either, address)
    either.client.cancel(other.name)
    while not either.client.get(other.name).state.final:
        pass
    assert _discard(either, ended) == address


def test_an_input_that_was_placed_since_for_a_job_that_is_yet_to_come_stays(
    on_gemini: Either, who: Identity
) -> None:
    ended = _ended(on_gemini, _own(on_gemini, who.tag), who.display_name(NAME))
    address = file_name(who.tag)
    on_gemini.client.perform(on_gemini.client.calls.delete_file(address))
    on_gemini.emulator.clock.advance(1)
    assert _own(on_gemini, who.tag) == address
    assert _discard(on_gemini, ended) is None
    assert _there(on_gemini, address)


def test_the_input_of_another_round_stays(either: Either, who: Identity) -> None:
    other = Identity(who.key, who.fingerprint, round=1)
    address = _own(either, other.tag)
    assert _discard(either, _ended(either, address, who.display_name(NAME))) is None
    assert _there(either, address)


def test_an_object_that_only_ends_like_an_own_one_stays(on_vertex: Either, who: Identity) -> None:
    address = f"{BUCKET}/copy-of-{object_name(who.tag)}"
    on_vertex.client.upload(io.BytesIO(lines("a")), address)
    assert _discard(on_vertex, _ended(on_vertex, address, who.display_name(NAME))) is None
    assert _there(on_vertex, address)


def test_the_input_of_a_job_that_goes_on_stays(either: Either, who: Identity) -> None:
    address = _own(either, who.tag)
    job = _job(either, address, who.display_name(NAME))
    for state in (job.state, JobState.PAUSED, JobState.CANCELLING, JobState.UNSPECIFIED):
        assert _discard(either, job.model_copy(update={"state": state})) is None
    assert _there(either, address)


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "EXPIRED"])
def test_the_input_of_a_job_that_ended_badly_is_deleted(either: Either, who: Identity, state: str) -> None:
    address = _own(either, who.tag)
    job = _job(either, address, who.display_name(NAME))
    either.emulator.force(job.name, state)
    assert _discard(either, either.client.get(job.name)) == address
    assert not _there(either, address)


def test_for_an_inline_job_nothing_is_called(on_gemini: Either, who: Identity) -> None:
    job = _ended(on_gemini, ["a question"], who.display_name(NAME))  # type: ignore[list-item]
    on_gemini.emulator.clear_requests()
    assert _discard(on_gemini, job) is None
    assert on_gemini.emulator.requests == []


def test_a_table_stays(on_vertex: Either, who: Identity) -> None:
    job = BatchJob(
        name="1",
        backend=Backend.VERTEX,
        display_name=who.display_name(NAME),
        state=JobState.SUCCEEDED,
        source=BatchSource(bigquery_uri="bq://p.d.t"),
    )
    assert _discard(on_vertex, job) is None
    assert _discard(on_vertex, job.model_copy(update={"source": None})) is None


def test_trouble_that_is_not_absence_is_for_the_caller(on_gemini: Either, who: Identity) -> None:
    address = _own(on_gemini, who.tag)
    job = _ended(on_gemini, address, who.display_name(NAME))
    on_gemini.emulator.faults.add("files.delete", Fault.error(503, times=TRIES))
    with pytest.raises(ServerError):
        _discard(on_gemini, job)
    assert _there(on_gemini, address)


def test_an_object_that_may_not_be_deleted_is_for_the_caller(
    on_vertex: Either, who: Identity, connect: Any
) -> None:
    job = _ended(on_vertex, _own(on_vertex, who.tag), who.display_name(NAME))
    with RawServer(lambda request: answer(request, 403)) as server:
        client = connect(vertex_config(on_vertex.emulator, storage_endpoint=server.url))
        with pytest.raises(PermissionDenied):
            client.run(discard_input(client.calls, job))
        assert [verb for verb, _, _ in server.seen] == ["DELETE"]
