"""A notifier for callbacks of this package's tasks: it reports rows, causes of failures, cost, jobs and the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_genai_batch.printable import printable
from airflow_provider_genai_batch.reporting.failed import FAILED_MANIFEST

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_NAMED = 3
"""The most jobs whose names are shown."""


class GenAIBatchNotifier(BaseNotifier):
    """Sends a few lines about a task: its state, rows by status, causes, cost, jobs, and the address of its log.

    Args:
        send: called with the text; it sends the text, for example by another notifier, a hook or a webhook.
        **kwargs: parameters of Airflow's notifiers.

    Use it as ``on_failure_callback``, ``on_retry_callback`` or ``on_success_callback`` of a task.
    """

    def __init__(self, send: Callable[[str], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.send = send

    def notify(self, context: Context) -> None:
        """Send the text."""
        self.send(message(context))


def message(context: Context) -> str:
    """Return the text about the task in a callback's context. It contains no prompts and no answers."""
    ti, error = context["ti"], context.get("exception")
    state = _state(ti, error)
    manifest = _manifest(ti, error, state)
    lines = [f"{ti.dag_id}.{ti.task_id} ({ti.run_id}, try {ti.try_number}) {state}"]
    if manifest.get("counts"):
        counts = {name: number for name, number in manifest["counts"].items() if number}
        lines.append("Rows: " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    lines += [f"Cause: {number} x {cause}" for cause, number in (manifest.get("causes") or {}).items()]
    if cost := manifest.get("cost"):
        lines.append(f"Cost: about {cost['usd']:.6f} USD")
    jobs: list[str] = [*(manifest.get("job_names") or getattr(error, "job_names", None) or ())]
    if jobs:
        more = f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else ""
        lines.append(f"Jobs: {', '.join(jobs[:_NAMED])}{more}")
    if where := manifest.get("results_uri"):
        lines.append(f"Rows are in {where}")
    if address := getattr(ti, "log_url", None):
        lines.append(f"Log: {address}")
    return "\n".join(lines)


def _state(ti: Any, error: Any) -> str:
    """Return how the attempt ended.

    If the process of a task died, Airflow calls back elsewhere: Airflow 3 gives neither an error nor a state there, and
    Airflow 2 a text in place of the error.
    """
    if isinstance(error, BaseException):
        return f"failed: {type(error).__name__}"
    if error:
        return f"failed: {printable(str(error))}"
    ended = getattr(ti, "state", None)
    return (
        "failed: its process ended without an error" if ended is None else str(getattr(ended, "value", ended))
    )


def _manifest(ti: Any, error: Any, state: str) -> Mapping[str, Any]:
    known = getattr(error, "manifest", None)
    if known is None:
        key = "return_value" if state == "success" else FAILED_MANIFEST
        known = ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=ti.map_index)
    return known if isinstance(known, Mapping) else {}
