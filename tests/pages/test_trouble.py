"""What a page says where a connection cannot be opened, a service fails, or calls hang."""

from __future__ import annotations

from threading import Event
from typing import Any, NoReturn

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault
from airflow_provider_genai_batch.models import Manifest
from airflow_provider_genai_batch.models.jobs.identity import Identity, short_key
from tests.operators.scenes import MODEL
from tests.waiting import wait_until

service = "airflow_provider_genai_batch.pages.service."
cancel = pytest.importorskip(service + "cancel", reason="pages need Airflow 3.1").cancel
first_rows = pytest.importorskip(service + "first_rows", reason="pages need Airflow 3.1").first_rows
JobLists = pytest.importorskip(service + "lists", reason="pages need Airflow 3.1").JobLists
Threads = pytest.importorskip(service + "threads").Threads
MANIFEST = Manifest(backend="gemini", state="SUCCEEDED", job_names=("batches/a",), results_uri=None)


@pytest.fixture
def _vault_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat.sdk import BaseHook

    def fail(_: Any, conn_id: str) -> NoReturn:
        raise RuntimeError(f"the token hidden does not open {conn_id}")

    monkeypatch.setattr(BaseHook, "get_connection", classmethod(fail))


@pytest.mark.usefixtures("_vault_is_down")
def test_an_error_of_a_secrets_backend_is_named_and_its_text_is_not() -> None:
    answer = cancel("any", "batches/a", "0" * 16)
    assert answer.words == "could not be cancelled, and may go on: RuntimeError"
    assert not answer.asked
    trouble = first_rows("0" * 16, {"conn_id": "any"}, MANIFEST, "").trouble
    assert trouble == "The file cannot be read as rows (RuntimeError)."
    lists = JobLists()
    wait_until(lambda: lists.of(["any"])["any"].trouble, "the list has failed")
    assert lists.of(["any"])["any"].trouble == "RuntimeError"


def test_a_connection_that_is_not_there_is_named() -> None:
    assert "AirflowNotFoundException: " in cancel("not_there", "batches/a", "0" * 16).words
    assert "not_there" in first_rows("0" * 16, {"conn_id": "not_there"}, MANIFEST, "").trouble


@pytest.mark.parametrize(
    ("method", "fault", "said"),
    [
        (
            "batches.cancel",
            Fault.error(503, acted=True, retry_after=0, times=5),
            "may have been cancelled: Ser",
        ),
        ("batches.cancel", Fault.error(403), "could not be cancelled, and may go on: Per"),
        (
            "batches.get",
            Fault.error(503, retry_after=0, times=5),
            "could not be cancelled, and may go on: Ser",
        ),
    ],
)
def test_a_cancellation_that_may_have_arrived_is_not_said_to_have_failed(
    gemini: Emulator, method: str, fault: Fault, said: str
) -> None:
    from airflow_provider_genai_batch.hooks.genai_batch import open_client

    own = Identity("1" * 64, "2" * 64)
    with open_client("genai_batch_default") as client:
        job = client.create(MODEL, ["Hello"], display_name=own.display_name("dag.task")).name
    gemini.faults.add(method, fault)
    answer = cancel("genai_batch_default", job, short_key(own.key))
    assert answer.words.startswith(said)
    assert not answer.asked


def test_calls_that_hang_leave_room_for_those_of_another_kind_and_do_not_pile_up() -> None:
    over, rows = Event(), Threads("rows", at_once=2)
    hanging = [rows.start_now(over.wait) for _ in range(2)]
    later = rows.start(lambda: "later")
    assert rows.start_now(over.wait) is None
    assert Threads("cancel", at_once=1).start_now(lambda: "at once").result(60) == "at once"
    assert not later.done()
    over.set()
    assert later.result(60) == "later"
    assert all(one.result(60) for one in hanging)
