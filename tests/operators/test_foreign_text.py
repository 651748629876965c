"""Text that the service or a model wrote: one printable line in logs, errors and XCom, and as it came in the rows."""

from __future__ import annotations

import json
import logging
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_genai_batch.emulator import Emulator, Fault, JobScript, Lifecycle
from airflow_provider_genai_batch.exceptions import (
    ApiError,
    CreateOutcomeUnknown,
    GenAIBatchError,
    JobFailed,
    RequestError,
    TooManyFailedRows,
)
from airflow_provider_genai_batch.models import BatchJob, Manifest
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.jobs.identity import tag_of
from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator
from airflow_provider_genai_batch.printable import LONGEST, printable
from tests.dags import Ran, run_dag
from tests.operators.scenes import MODEL, Scene

NASTY = "first\r\nERROR forged \x1b[31mred\x1b[0m \x00 \x9b2J \u202egnp.exe \u2028 end"


def _is_fit(text: str) -> bool:
    """Whether a text is one printable line that PostgreSQL stores."""
    unfit = ("Cc", "Cs", "Zl", "Zp")
    return not any(unicodedata.category(char) in unfit or char == "\u202e" for char in text)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in _strings(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []


def _ask(scene: Scene, caplog: pytest.LogCaptureFixture, **settings: Any) -> Ran:
    arguments = {"model": MODEL, "poll_interval": 0.05, **scene.arguments, **settings}
    with caplog.at_level(logging.DEBUG, logger="airflow_provider_genai_batch"):
        ran = run_dag(lambda: GenAIBatchOperator(task_id="ask", **arguments))
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("airflow_provider_genai_batch")]
    said = [*ours, *map(str, ran.errors), *_strings(ran.xcom)]
    said += [text for error in ran.errors for text in _strings(getattr(error, "manifest", None))]
    assert said
    assert [text for text in said if not _is_fit(text)] == []
    assert all(len(text) < 10_000 for text in said)
    return ran


def test_causes_of_failed_rows_are_printable_and_the_rows_keep_the_text(
    scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if scene.rows_stay:
        pytest.skip("its rows stay in BigQuery")
    error = {"code": 3, "message": NASTY}
    scene.emulator.script(JobScript(row_errors={0: error}, unknown_keys=[f"key {NASTY}"]))
    ran = _ask(scene, caplog, results_uri=str(tmp_path / "rows.jsonl"))
    (failure,) = ran.errors
    assert isinstance(failure, TooManyFailedRows)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().split("\n")[:-1]]
    assert any(NASTY in (row["error"] or {}).get("message", "") for row in rows)


def test_the_reason_of_a_jobs_end_is_printable_and_bounded(
    gemini: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    gemini.script(JobScript(end="FAILED", error={"code": 3, "message": NASTY + "x" * 100_000}))
    ran = _ask(Scene(gemini, {"src": ["a"]}), caplog)
    (failure,) = ran.errors
    assert isinstance(failure, JobFailed)
    assert "first\\r\\nERROR forged \\x1b[31mred" in str(failure)
    assert str(failure).endswith("The next attempt submits a new job.")


@pytest.mark.parametrize("status", [400, 403, 503])
def test_a_refusal_is_printable_and_bounded(
    gemini: Emulator, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    gemini.faults.add("batches.create", Fault.error(status, NASTY + "y" * 100_000))
    ran = _ask(Scene(gemini, {"src": ["a"]}), caplog, retries=0)
    assert (ran.state == "success") is (status == 503)


def test_a_state_nobody_has_heard_of_is_printable(gemini: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    gemini.script(JobScript(lifecycle=Lifecycle.at_once(), end=f"ODD {NASTY}"))
    _ask(Scene(gemini, {"src": ["a"]}), caplog, timeout=0.2, on_timeout="leave")


def test_a_display_name_of_somebody_else_is_printable_and_still_tells_whose_it_is() -> None:
    tag = "0123456789abcdef-0123456789abcdef-r0"
    job = BatchJob(name="batches/a", backend=Backend.GEMINI, display_name=f"{NASTY * 1000} {tag}")
    assert job.display_name is not None
    assert _is_fit(job.display_name)
    assert tag_of(job.display_name) == tag


def test_a_manifest_is_always_storable() -> None:
    bad = NASTY + "\ud800\udfff lone \udc00"
    manifest = Manifest(
        backend=Backend.GEMINI,
        model=bad,
        state=bad,
        job_names=(bad,),
        display_name=bad,
        source=bad,
        output=(bad,),
        results_uri=bad,
        causes={bad: 1, bad * 1000: 2},
    )
    told = manifest.model_dump_json()
    assert told.encode()
    assert all(_is_fit(text) for text in _strings(json.loads(told)))
    assert Manifest.model_validate_json(told) == manifest


@pytest.mark.parametrize(
    "error",
    [
        GenAIBatchError(NASTY),
        RequestError(NASTY, NASTY, where=NASTY),
        ApiError(NASTY, code=400, status=NASTY, reason=NASTY, method="batches.create"),
        CreateOutcomeUnknown(NASTY, NASTY),
        JobFailed(NASTY * 10_000, job_names=()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_one_printable_line_whatever_it_is_made_of(error: GenAIBatchError) -> None:
    assert _is_fit(str(error))
    assert len(str(error)) < 10_000


@pytest.mark.parametrize("text", ["", "plain", "Grüße, 世界 👋", "a b\u3000c", "x" * LONGEST])
def test_text_that_is_fit_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_what_is_cut_says_by_how_much() -> None:
    cut = printable("a" * 3000 + "end")
    assert "(of 3003 characters)" in cut
    assert cut.endswith("end")
    assert len(cut) == LONGEST
    assert printable(cut) == cut
