"""Parameters of a task that are known when it is built, which is when its DAG is parsed: templates are not.

It is loaded wherever an operator is, so it loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MODELS = (
    "google.genai.",
    "airflow_provider_genai_batch.models.settings.",
    "airflow_provider_genai_batch.models.source",
    "airflow_provider_genai_batch.checks",
    "airflow_provider_genai_batch.models.sql_source",
)
"""Begin the modules of objects whose fields are read as those of a dict. Others belong to the user's functions."""
_MARKS = ("{{", "{%", "{#")
"""Begin what Jinja renders."""


def is_known(value: Any) -> bool:
    """Whether a parameter is when the task runs what it is now."""
    if isinstance(value, str):
        return not any(mark in value for mark in _MARKS)
    if isinstance(value, Mapping):
        return all(map(is_known, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_known, value))
    if is_object(value):
        return all(is_known(inner) for inner in dict(value).values())
    return not stands_for_more(value)


def is_object(value: Any) -> bool:
    """Whether it is an object of google-genai's, or a noun of this package: known by its manners, as it is read."""
    kind = type(value)
    return kind.__module__.startswith(_MODELS) and callable(getattr(kind, "model_copy", None))


def stands_for_more(value: Any) -> bool:
    """Whether it is the output of another task, as Airflow's own rendering tells it."""
    return callable(getattr(value, "resolve", None)) and not hasattr(value, "__fspath__")


def check_job_names(value: Any) -> None:
    """Refuse what names no job, where that is known.

    Raises:
        ManifestError: it names none.
    """
    if is_known(value) and not isinstance(value, Iterator):
        from airflow_provider_genai_batch.task.settings.job_names import job_names

        job_names(value)
