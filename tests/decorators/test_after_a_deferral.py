"""What a decorated function did beside making requests is there at the end, whatever process that is in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.providers.common.compat.sdk import Asset, AssetAlias, task
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript
from airflow_provider_genai_batch.flows.submission import search
from tests.dags import run_dag
from tests.operators.scenes import MODEL

WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
ROWS = Asset("file:///data/rows.jsonl")
DAILY = Asset("file:///data/daily.jsonl")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the looking for jobs that lists may not show yet."""
    monkeypatch.setattr(search, "LOOKS_AFTER_LOSS", (0.01,))


def genai_batch(**settings: Any) -> Any:
    return task.genai_batch(**{"task_id": "ask", "model": MODEL, "poll_interval": 0.05, **settings})


def labels(dag_id: str) -> list[str | None]:
    with create_session() as session:
        query = select(TaskInstance.rendered_map_index).filter_by(dag_id=dag_id)
        return sorted(session.scalars(query.order_by(TaskInstance.map_index)), key=str)


@WAYS
def test_a_mapped_task_is_labelled_by_the_functions_arguments(gemini: Emulator, deferrable: bool) -> None:
    @genai_batch(deferrable=deferrable, map_index_template="in {{ language }}")
    def asked(language: str) -> list[str]:
        return [f"Hello in {language}"]

    ran = run_dag(lambda: asked.expand(language=["Latin", "Greek"]))
    assert ran.state == "success", ran.errors
    assert labels(ran.dag_id) == ["in Greek", "in Latin"]


@WAYS
def test_a_mapped_task_is_labelled_by_what_the_function_put_into_the_context(
    gemini: Emulator, deferrable: bool
) -> None:
    @genai_batch(deferrable=deferrable, map_index_template="{{ found }}")
    def asked(number: int, **context: Any) -> Iterator[str]:
        from airflow.providers.common.compat.sdk import get_current_context

        get_current_context()["found"] = f"number {number}"
        yield f"What is {number}?"

    ran = run_dag(lambda: asked.expand(number=[1, 2]))
    assert ran.state == "success", ran.errors
    assert labels(ran.dag_id) == ["number 1", "number 2"]


TROUBLE = {
    "none": {},
    "no capacity": {"fault": Fault.error(429, grpc="RESOURCE_EXHAUSTED", retry_after=0)},
    "a second round": {"script": JobScript(row_errors={0: 13}), "retry_failed_rows": 1},
}


@WAYS
@pytest.mark.parametrize("trouble", TROUBLE)
def test_events_of_outlets_are_those_that_the_function_made(
    gemini: Emulator, deferrable: bool, trouble: str
) -> None:
    settings = {**TROUBLE[trouble]}
    if fault := settings.pop("fault", None):
        gemini.faults.add("batches.create", fault)
    if script := settings.pop("script", None):
        gemini.script(script)
    alias = AssetAlias("whatever")
    seen: list[Any] = []

    def see(context: Any, _: Any = None) -> None:
        events = context["outlet_events"]
        found = getattr(events[alias], "asset_alias_events", None)
        added = events[alias].dataset_alias_events if found is None else found  # Airflow 2
        uris = [
            event["dest_dataset_uri"] if isinstance(event, dict) else event.dest_asset_key.uri
            for event in added
        ]
        extras = [event["extra"] if isinstance(event, dict) else event.extra for event in added]
        seen.append((events[ROWS].extra, uris, extras))

    @genai_batch(deferrable=deferrable, outlets=[ROWS, alias], post_execute=see, **settings)
    def asked(*, outlet_events: Any) -> Iterator[str]:
        outlet_events[ROWS].extra["rows"] = 2
        outlet_events[alias].add(DAILY, extra={"day": "2026-11-28"})
        yield from ("One", "Two")

    ran = run_dag(asked)
    assert ran.state == "success", ran.errors
    assert seen == [
        ({"rows": 2, "genai_batch": ran.xcom["ask"]}, [DAILY.uri], [{"day": "2026-11-28"}]),
    ]
