"""Which other settings reuse and dedupe need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.wire.tables.sql import has_no_file, is_table


def check_used_again(task: Any, known: Callable[[Any], bool]) -> None:
    """Refuse `reuse` and `dedupe` if no rows land, because the task itself must write the rows that it does not ask."""
    if not has_no_file(task.results_uri):
        return
    source = getattr(task, "src", None)
    elsewhere = isinstance(source, (str, list)) and known(source) and not str(source).startswith("bq://")
    if task.prompt is None or elsewhere or (task.results_uri is None and task.dest is None):
        raise no_place_for_unasked(task)
    results = getattr(task.reuse, "results", task.reuse)
    for one in results if isinstance(results, (list, tuple)) else [results]:
        if isinstance(one, str) and known(one) and one.strip()[:1] != "{":
            refuse_no_table(one)


def refuse_no_table(uri: str) -> None:
    """Refuse earlier results that are not a BigQuery table, for a task whose rows are in BigQuery.

    Raises:
        ConfigurationError: the address is a file, or a pattern for several tables.
    """
    if not is_table(uri):
        msg = (
            f"reuse names {uri}, and the rows of this task are in BigQuery: requests are digested there in another way "
            "than in files, so rows in files cannot answer them. Nothing was sent, and no model is billed. Name "
            "tables, as bq://project.dataset.table."
        )
        raise ConfigurationError(msg)
    if "*" in uri:
        msg = (
            f"reuse names {uri}, which is not a single table. Nothing was sent, and no model is billed. Name each "
            "table, in a list."
        )
        raise ConfigurationError(msg)


def no_place_for_unasked(task: Any) -> ConfigurationError:
    """Return the error for `reuse` or `dedupe` without a place for the rows that are not asked."""
    name = "reuse" if task.reuse else "dedupe"
    msg = (
        f"{name} needs a results_uri that is a file, or the rows of a table in BigQuery (prompt, src and results_uri "
        "as bq://project.dataset.table): rows whose requests are not sent land there, beside the others. Give it, or "
        f"leave {name} out."
    )
    return ConfigurationError(msg)
