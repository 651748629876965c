"""Spans tell what was done with jobs where OpenTelemetry is set up, below Airflow's own, and not what was asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from airflow_provider_genai_batch.emulator import Emulator, JobScript
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.task.jobs import traces
from tests.dags import Ran, run_dag
from tests.docs.pages import Page, code
from tests.operators.scenes import MODEL

EVERY_WAY = pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
PAGE = Page("docs/reference/traces.md")


class Spans:
    """What was exported of this package."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def all(self) -> list[ReadableSpan]:
        spans = self._exporter.get_finished_spans()
        return [span for span in spans if span.name.startswith("genai_batch.")]

    def of(self, name: str) -> list[dict[str, Any]]:
        return [dict(span.attributes or {}) for span in self.all if span.name == name]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """Set OpenTelemetry up as Airflow does in each process, with spans kept in memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield Spans(exporter)
    provider.shutdown()


def ask(**settings: Any) -> Ran:
    settings = {"model": MODEL, "src": ["a secret prompt", "another"], "poll_interval": 0.05, **settings}
    return run_dag(lambda: GenAIBatchOperator(task_id="ask", **settings))


@EVERY_WAY
def test_submitting_waiting_and_landing_are_spans_in_both_ways(
    spans: Spans, gemini: Emulator, deferrable: bool
) -> None:
    ran = ask(deferrable=deferrable)
    assert ran.state == "success", ran.errors
    manifest = ran.xcom["ask"]
    (job,) = manifest["job_names"]
    assert [span.name for span in spans.all] == [traces.SUBMIT, traces.WAIT, traces.LAND]
    assert all(
        found[traces.JOB_NAMES] == (job,)
        for name in (traces.SUBMIT, traces.WAIT, traces.LAND)
        for found in spans.of(name)
    )
    (submitted,), (waited,), (landed,) = map(spans.of, (traces.SUBMIT, traces.WAIT, traces.LAND))
    assert (submitted[traces.MODEL], submitted[traces.BACKEND]) == (f"models/{MODEL}", "gemini")
    assert submitted[traces.REATTACHED] is False
    assert waited[traces.WHY] == "ended"
    assert {name: landed[f"genai_batch.rows.{name}"] for name in manifest["counts"]} == manifest["counts"]
    assert landed[traces.INPUT_TOKENS] == manifest["usage"]["input"]
    assert landed[traces.STATE] == "SUCCEEDED"


def test_they_belong_to_the_span_that_is_current(spans: Spans, gemini: Emulator) -> None:
    with trace.get_tracer("airflow").start_as_current_span("worker.ask") as parent:
        ask(deferrable=False)
    found = spans.all
    assert {span.parent.span_id for span in found if span.parent} == {parent.get_span_context().span_id}
    assert len(found) == 3


@EVERY_WAY
def test_a_failure_is_told_by_its_class_with_its_counts_and_no_message(
    spans: Spans, gemini: Emulator, deferrable: bool
) -> None:
    gemini.script(JobScript(row_errors={1: 13}))
    ran = ask(deferrable=deferrable)
    assert ran.state == "failed"
    (landed,) = (span for span in spans.all if span.name == traces.LAND)
    assert (landed.status.status_code, landed.status.description) == (
        trace.StatusCode.ERROR,
        "TooManyFailedRows",
    )
    assert (landed.attributes or {})["genai_batch.rows.error"] == 1
    assert not landed.events
    assert "secret" not in "".join(span.to_json() for span in spans.all)


def test_asking_again_is_no_error(spans: Spans, gemini: Emulator) -> None:
    gemini.script(JobScript(row_errors={1: 13}))
    assert ask(retry_failed_rows=1, deferrable=False).state == "success"
    assert [span.name for span in spans.all] == [traces.SUBMIT, traces.WAIT, traces.LAND] * 2
    assert {span.status.status_code for span in spans.all} == {trace.StatusCode.UNSET}
    assert [found["genai_batch.rows.error"] for found in spans.of(traces.LAND)] == [1, 0]


def test_where_nobody_has_opentelemetry_nothing_of_it_is_loaded() -> None:
    program = """
import sys
from airflow_provider_genai_batch.task.jobs.traces import span
with span("genai_batch.wait", ["batches/1"]) as note:
    note({"a": 1})
print([name for name in sys.modules if "opentelemetry" in name])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_span_and_attribute_is_told() -> None:
    spans = {code(row[0]) for row in PAGE.table("# Traces", "Span")}
    assert spans == {traces.SUBMIT, traces.WAIT, traces.LAND}
    told = {code(row[0]) for row in PAGE.table("# Traces", "Attribute")}
    names = {name: value for name, value in vars(traces).items() if name.isupper() and isinstance(value, str)}
    assert told == {f"{value}.<status>" if name == "ROWS" else value for name, value in names.items()} - spans
