"""Settings of operators and sensors, checked before anything is paid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.results.media import check_media_uri
from airflow_provider_genai_batch.results.sinks import check_results_uri, form_of
from airflow_provider_genai_batch.task.checks.at_once import AT_ONCE, check_at_once
from airflow_provider_genai_batch.task.checks.day_checks import check_day
from airflow_provider_genai_batch.task.checks.deadline_checks import check_deadline
from airflow_provider_genai_batch.task.checks.fallback_checks import check_beside_fallbacks
from airflow_provider_genai_batch.task.checks.reuse_checks import check_used_again
from airflow_provider_genai_batch.task.checks.row_checks import check_rows_are_read
from airflow_provider_genai_batch.task.checks.values import CHECKS, MAY_BE_NONE
from airflow_provider_genai_batch.wire.tables.sql import is_table


def check_order_settings(task: Any, *, known: Callable[[Any], bool] | None = None) -> None:
    """Refuse settings of `GenAIBatchOperator` that make no sense, by themselves or together.

    Args:
        task: the operator.
        known: returns whether a value is known yet (a template is not). None: all values are known, and the check
            runs where they are used.

    Raises:
        ConfigurationError, InputError: the message names the setting.
    """
    for name, check in CHECKS.items():
        value = getattr(task, name)
        given = value is not None or name not in MAY_BE_NONE
        if given and (known is None or name not in task.template_fields or known(value)):
            check(name, value)
    _check_addresses(task, known)
    at_once = [name for name in AT_ONCE if getattr(task, name) not in (None, Tier.BATCH.value)]
    if known is not None:
        at_once = [name for name in at_once if known(getattr(task, name))]
    if at_once:
        check_at_once(task, at_once)
    if task.reuse or task.dedupe:
        check_used_again(task, known or (lambda _: True))
    for name in ("results_uri", "media_uri"):
        if task.wait is False and getattr(task, name) is not None:
            msg = (
                f"With wait=False no rows are landed: leave {name} to a GenAIBatchResultsOperator downstream."
            )
            raise ConfigurationError(msg)
    if task.checks:
        check_rows_are_read(task, known or (lambda _: True))
    if (task.ready_by, task.fallbacks, task.max_cost_per_day) != (None, None, None):
        _check_limits(task, known or (lambda _: True))


def _check_limits(task: Any, known: Callable[[Any], bool]) -> None:
    """Refuse a deadline, fallbacks or a limit of a day that the other settings rule out."""
    if task.max_cost_per_day is not None:
        check_day(task, known)
    if task.ready_by is not None:
        check_deadline(task, known)
    if task.fallbacks is not None and known(task.fallbacks):
        check_beside_fallbacks(task)


def _check_addresses(task: Any, known: Callable[[Any], bool] | None) -> None:
    if task.results_uri is not None:
        if known is None:
            check_results_uri(task.results_uri)
        elif known(task.results_uri) and not is_table(task.results_uri):
            form_of(task.results_uri)
    if task.media_uri is not None and (known is None or known(task.media_uri)):
        check_media_uri(task.media_uri)


def keeps_media(task: Any) -> bool:
    """Whether pictures and sound in answers are kept.

    True also for a task that lands no rows, because the task that lands them decides.
    """
    return task.media_uri is not None or task.keep is not None or task.wait is False
