"""Spans of work on jobs, if Airflow has set up OpenTelemetry; otherwise nothing happens. Light to import.

The parent is Airflow's own span of the task or trigger, which is the current span when this code runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch import __version__
from airflow_provider_genai_batch.exceptions import GenAIBatchError

if TYPE_CHECKING:
    from airflow_provider_genai_batch.models import BatchJob

SUBMIT, WAIT, LAND = "genai_batch.submit", "genai_batch.wait", "genai_batch.land"
"""Names of spans."""
MODEL = "gen_ai.request.model"
"""Names of attributes: OpenTelemetry's own for generative AI where there is one."""
INPUT_TOKENS, OUTPUT_TOKENS = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
BACKEND, JOB_NAMES, REATTACHED = "genai_batch.backend", "genai_batch.job_names", "genai_batch.reattached"
WHY, STATE, ROWS = "genai_batch.why", "genai_batch.state", "genai_batch.rows"
_MOST_JOBS = 100

Note = Callable[[dict[str, Any]], None]
"""Adds attributes to the span; leaves out None."""


@contextmanager
def span(name: str, job_names: Sequence[str] = ()) -> Iterator[Note]:
    """Make a span of a block; an error of this package becomes its status, by its class only.

    If nobody has imported OpenTelemetry, nobody has set it up.

    Args:
        name: name of the span.
        job_names: names of the jobs, if known beforehand.
    """
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        yield _ignore
        return
    tracer = api.get_tracer("airflow_provider_genai_batch", __version__)
    # Messages may contain text of rows, and exceptions for control flow are not errors.
    quiet = {"record_exception": False, "set_status_on_exception": False}
    with tracer.start_as_current_span(name, **quiet) as current:

        def note(attributes: dict[str, Any]) -> None:
            known = {key: value for key, value in attributes.items() if value is not None}
            current.set_attributes(known)

        if job_names:
            note(of_jobs(job_names))
        try:
            yield note
        except GenAIBatchError as error:
            current.set_status(api.Status(api.StatusCode.ERROR, type(error).__name__))
            raise


def passed(name: str, since: int, attributes: dict[str, Any]) -> None:
    """Make a span afterwards, so that thousands of waits need no memory meanwhile.

    Args:
        name: name of the span.
        since: its beginning, in nanoseconds since the epoch.
        attributes: attributes of the span.
    """
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is not None:
        tracer = api.get_tracer("airflow_provider_genai_batch", __version__)
        tracer.start_span(name, start_time=since, attributes=attributes).end()


def of_jobs(names: Sequence[str]) -> dict[str, Any]:
    """Return the attribute with the names of jobs, a hundred at most."""
    return {JOB_NAMES: [*names[:_MOST_JOBS]]}


def of_job(job: BatchJob) -> dict[str, Any]:
    """Return the attributes of a job."""
    return {JOB_NAMES: [job.name], MODEL: job.model, BACKEND: job.backend.value}


def of_manifest(manifest: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the attributes of an outcome, as far as known."""
    manifest = manifest or {}
    usage, counts = manifest.get("usage") or {}, manifest.get("counts") or {}
    return {
        MODEL: manifest.get("model"),
        BACKEND: manifest.get("backend"),
        STATE: manifest.get("state"),
        INPUT_TOKENS: usage.get("input"),
        OUTPUT_TOKENS: usage.get("output"),
        **{f"{ROWS}.{status}": number for status, number in counts.items()},
    }


def _ignore(_: dict[str, Any]) -> None:
    """Ignore attributes, because there is no span."""
