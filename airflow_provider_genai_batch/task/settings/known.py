"""Parameters that are known when a task is built, that is, when its DAG is parsed. Templates are not.

Every operator loads this module, so it loads nothing itself.
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
"""Prefixes of the modules whose objects are read like dicts. Other objects belong to the user's functions."""
_MARKS = ("{{", "{%", "{#")
"""Beginnings of Jinja expressions."""


def is_known(value: Any) -> bool:
    """Whether a parameter will have the same value when the task runs."""
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
    """Whether it is an object of google-genai or of this package's models."""
    kind = type(value)
    return kind.__module__.startswith(_MODELS) and callable(getattr(kind, "model_copy", None))


def stands_for_more(value: Any) -> bool:
    """Whether it is the output of another task, by the same test as in Airflow's rendering."""
    return callable(getattr(value, "resolve", None)) and not hasattr(value, "__fspath__")


def check_job_names(value: Any) -> None:
    """Refuse a value that names no job, if it is known yet.

    Raises:
        ManifestError: it names no job.
    """
    if is_known(value) and not isinstance(value, Iterator):
        from airflow_provider_genai_batch.task.settings.job_names import job_names

        job_names(value)
