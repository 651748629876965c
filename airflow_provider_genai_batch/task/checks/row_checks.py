"""Whether a task can run the row checks that it has, decided before anything is paid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_genai_batch.exceptions import ConfigurationError, UnsupportedError

if TYPE_CHECKING:
    from airflow_provider_genai_batch.checks import Check
    from airflow_provider_genai_batch.client.job_params import JobParams


def check_rows_are_read(task: Any, known: Callable[[Any], bool]) -> None:
    """Refuse the row checks of a task that does not read the rows.

    Raises:
        ConfigurationError: the task reads no rows, or a check names a field that the answers' type does not have.
    """
    if task.wait is False or task.plan_only is True:
        setting = "wait=False" if task.wait is False else "plan_only=True"
        msg = f"With {setting} no rows are read, so there is nothing for checks to look at: leave one of them out."
        raise ConfigurationError(msg)
    if not known(task.checks):
        return
    if not task.reuse:
        refuse_drift(task.checks, "none are used again: give reuse, or leave drift out.")
    check_fields(task)


def check_ended(task: Any) -> None:
    """Refuse row checks that do not fit a task on the rows of ended jobs.

    Raises:
        ConfigurationError: there is such a check.
    """
    if task.checks is not None:
        check_checks("checks", task.checks)
        refuse_drift(task.checks, "the rows of ended jobs are all new: leave drift out.")
        check_fields(task)


def refuse_drift(checks: Iterable[Check], why: str) -> None:
    """Refuse `drift` where it cannot be counted; `why` ends the sentence, with what to do.

    Raises:
        ConfigurationError: it is among the checks.
    """
    if any(check.kind == "drift" for check in checks):
        msg = f"drift compares with rows of earlier results, and {why}"
        raise ConfigurationError(msg)


def check_fields(task: Any) -> None:
    """Refuse row checks of fields that the answers' type does not have.

    Raises:
        ConfigurationError: there is such a check.
    """
    if task.output_type is None:
        return
    from airflow_provider_genai_batch.wire.schemas.output_type import output_schema

    fields = (output_schema(task.output_type) or {}).get("properties")
    for check in task.checks:
        name = (check.field or "").partition(".")[0]
        if fields is not None and name and name not in fields:
            msg = f"{check.name} checks a field that output_type does not have. It has {', '.join(fields) or 'none'}."
            raise ConfigurationError(msg)


def refuse_checks(task: Any, order: JobParams, *, typed: bool, in_table: bool) -> None:
    """Refuse row checks that do not fit the input, before anything is paid.

    Args:
        task: the settings of the task.
        order: the parameters of its jobs.
        typed: whether a request has a response schema of its own.
        in_table: whether the task makes its requests of a BigQuery table and writes a typed one.

    Raises:
        UnsupportedError: Vertex AI writes the rows to BigQuery as they are.
        ConfigurationError: a check names a field, and the answers have no fields.
    """
    written = order.source.bigquery_uri if order.destination is None else order.destination.bigquery_uri
    if written and not in_table:
        msg = (
            "Rows that Vertex AI writes to BigQuery are not read here: leave checks out, and query the table."
        )
        raise UnsupportedError(msg)
    from airflow_provider_genai_batch.wire.schemas.output_type import asks_for_type

    refuse_untyped(task.checks, typed=typed or asks_for_type(task.output_type, order.request_defaults))


def refuse_untyped(checks: Iterable[Check], *, typed: bool, so_far: str = "Nothing was sent.") -> None:
    """Refuse row checks of fields if the answers have none.

    Args:
        checks: the checks.
        typed: whether the answers have a type, or a request has a response schema of its own.
        so_far: what has happened.

    Raises:
        ConfigurationError: a check names a field, and the answers have no fields.
    """
    for check in checks if not typed else ():
        if check.field is not None:
            msg = (
                f"{check.name} checks a field, and the answers are not known to have fields. {so_far} Give "
                "output_type."
            )
            raise ConfigurationError(msg)


def check_checks(name: str, value: Any) -> None:
    """Refuse a value that is not a list of checks.

    Raises:
        ConfigurationError: it is not.
    """
    from airflow_provider_genai_batch.checks import Check

    if not isinstance(value, (list, tuple)) or not all(isinstance(one, Check) for one in value):
        msg = f"{name} is {value!r}; give a list of checks, made by functions of airflow_provider_genai_batch.checks."
        raise ConfigurationError(msg)
