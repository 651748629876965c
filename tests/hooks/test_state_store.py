"""Airflow's task state store is a shortcut: whatever is wrong with it, one job is made, and its rows land."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.flows.record import Record
from airflow_provider_genai_batch.hooks.state_store import state_store
from airflow_provider_genai_batch.hooks.state_store.records import JobRecords, ReportedJobs
from airflow_provider_genai_batch.models.jobs.identity import Identity
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from tests.dags import Ran, run_dag
from tests.operators.doors import die_after_submit
from tests.operators.scenes import MODEL

context_module = pytest.importorskip("airflow.sdk.execution_time.context")
Accessor: Any = getattr(context_module, "TaskStateStoreAccessor", None)
pytestmark = pytest.mark.skipif(Accessor is None, reason="Airflow keeps no task state before 3.3")


def _refusal(status: int | None, kind: str = "API_SERVER_ERROR") -> Exception:
    """Make what the supervisor passes on of the API server's answer; None: there was none."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse

    detail = {"status_code": status, "message": "first line\nsecond \x1b[31mline"}
    return AirflowRuntimeError(ErrorResponse(error=ErrorType(kind), detail=detail))


TROUBLE: dict[str, Callable[[], BaseException]] = {
    "500": lambda: _refusal(500),
    "503": lambda: _refusal(503),
    "429": lambda: _refusal(429),
    "422": lambda: _refusal(422),
    "401": lambda: _refusal(401),
    "no answer": lambda: _refusal(None),
    "denied": lambda: _refusal(403, "PERMISSION_DENIED"),
    "settings": lambda: ValueError("[state_store] default_retention_days must be >= 0, got -1."),
    "a backend's fault": lambda: RuntimeError("no such bucket"),
    "a backend's disk": lambda: FileNotFoundError("/mnt/state"),
    "a backend's bug": lambda: KeyError("ref"),
}
NOT_CURRENT = (404, 409, 410)


class Broken:
    """Airflow's store, of which some calls fail."""

    def __init__(self, patch: pytest.MonkeyPatch, make: Callable[[], BaseException], *calls: str) -> None:
        self.calls = 0
        for name in calls:
            patch.setattr(Accessor, name, self._failing(make))

    def _failing(self, make: Callable[[], BaseException]) -> Any:
        def fail(*_: Any, **__: Any) -> None:
            self.calls += 1
            raise make()

        return fail


def ask(**settings: Any) -> Ran:
    return run_dag(
        lambda: GenAIBatchOperator(
            task_id="ask",
            **{"model": MODEL, "src": ["a", "b"], "poll_interval": 0.05, "retry_delay": 0, **settings},
        )
    )


def _posts(gemini: Emulator) -> int:
    return sum(one["method"] == "batches.create" for one in gemini.requests)


@pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_with_the_store_is_a_warning_and_the_service_is_looked_at_instead(
    gemini: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
    deferrable: bool,
) -> None:
    broken = Broken(monkeypatch, TROUBLE[trouble], "get", "set")
    ran = ask(deferrable=deferrable)
    assert ran.state == "success", ran.errors
    assert broken.calls
    assert _posts(gemini) == 1
    said = [r.getMessage() for r in caplog.records if r.name.endswith("state_store")]
    assert 1 <= len(said) <= 12, said
    before = [one["method"] for one in gemini.requests]
    assert "batches.list" in before[: before.index("batches.create")]


def test_a_retry_finds_its_job_while_the_store_is_in_trouble(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    Broken(monkeypatch, TROUBLE["503"], "get", "set")
    came_to = die_after_submit(monkeypatch)
    ran = ask(retries=1)
    assert ran.state == "success", ran.errors
    assert len(set(came_to)) == 1
    assert _posts(gemini) == 1


@pytest.mark.parametrize("status", NOT_CURRENT)
def test_an_attempt_that_airflow_has_given_up_creates_nothing(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    Broken(monkeypatch, lambda: _refusal(status), "set")
    ran = ask()
    assert ran.state == "failed"
    assert _posts(gemini) == 0
    assert "nothing is billed" in caplog.text


@pytest.mark.parametrize(
    "cut", [BrokenPipeError("cut"), EOFError("cut"), ConnectionResetError("cut")], ids=repr
)
def test_an_attempt_without_a_supervisor_creates_nothing(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, cut: Exception
) -> None:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    def fail(**_: Any) -> None:
        raise cut

    Broken(monkeypatch, lambda: cut, "set")
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(fail))
    ran = ask()
    assert ran.state == "failed"
    assert _posts(gemini) == 0


@pytest.mark.parametrize(
    "junk",
    [
        17,
        "x" * 5_000_000,
        ["a"] * 1000,
        {},
        {"tag": 1, "intent": "soon", "job": None},
        {"tag": "t", "intent": float("nan"), "job": ""},
        {"tag": "t", "intent": 10**400, "job": ""},
        {"tag": "t\x00\ud800", "intent": 1e300, "job": "\x1b[31m"},
        {"tag": "t", "intent": 0.0, "job": "batches/a", "attempt": "second", "more": {"a": 1}},
    ],
    ids=lambda junk: repr(junk)[:40],
)
def test_junk_in_the_store_says_nothing(gemini: Emulator, monkeypatch: pytest.MonkeyPatch, junk: Any) -> None:
    monkeypatch.setattr(Accessor, "get", lambda *_: junk)
    came_to = die_after_submit(monkeypatch)
    ran = ask(retries=1)
    assert ran.state == "success", ran.errors
    assert len(set(came_to)) == 1
    assert _posts(gemini) == 1


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the store hang; give the calls that hang."""
    release, calls = threading.Event(), list[str]()

    def hang(_: Any, key: str, *__: Any) -> None:
        calls.append(key)
        release.wait()

    monkeypatch.setattr(state_store, "LONGEST", 0.2)
    monkeypatch.setattr(Accessor, "get", hang)
    monkeypatch.setattr(Accessor, "set", hang)
    yield calls
    release.set()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon and thread.name == state_store.THREAD:
            thread.join()


def test_a_store_that_hangs_is_waited_for_once(
    gemini: Emulator, hanging: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    gemini.script(JobScript())
    ran = ask(max_requests_per_job=1)
    assert ran.state == "success", ran.errors
    assert _posts(gemini) == 2
    assert len(hanging) == 1
    assert "no answer came" in caplog.text


def test_a_job_that_cannot_be_written_down_is_waited_for_all_the_same(
    gemini: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = Accessor.set

    def refuse_jobs(self: Any, key: str, value: Any, **more: Any) -> None:
        if isinstance(value, dict) and value.get("job"):
            raise _refusal(404)
        write(self, key, value, **more)

    monkeypatch.setattr(Accessor, "set", refuse_jobs)
    ran = ask()
    assert ran.state == "success", ran.errors
    assert f"Job {gemini.jobs[0]['name']} could not be recorded in Airflow" in caplog.text


class Kept(dict[str, Any]):
    """What Airflow keeps, without Airflow."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Try:
    """A task instance at one of its tries."""

    def __init__(self, number: int) -> None:
        self.try_number = number


def _records(kept: Kept, attempt: int) -> JobRecords:
    return JobRecords({"task_state_store": kept, "ti": Try(attempt)})  # type: ignore[typeddict-item]


def test_a_note_is_outdated_when_an_attempt_lies_between() -> None:
    kept, note = Kept(), Record(Identity("a" * 64, "b" * 64).tag, 0.0)
    _records(kept, 1).write(note)
    read = [_records(kept, number).read() for number in (1, 2, 3)]
    assert [record and record.outdated for record in read] == [False, False, True]
    kept["genai_batch_job"].pop("attempt")  # of an earlier version of this package
    read = [_records(kept, number).read() for number in (1, 2)]
    assert [record and record.outdated for record in read] == [False, True]


def test_names_that_metrics_were_told_of_are_kept_up_to_a_bound() -> None:
    kept = Kept()
    told = ReportedJobs({"task_state_store": kept})  # type: ignore[typeddict-item]
    for number in range(12):
        assert told.add([f"batches/{number}-{part}" for part in range(100)])
    assert len(kept["genai_batch_reported"]) == 1000
    assert told.read() >= {f"batches/11-{part}" for part in range(100)}
