"""Settings of operators and sensors, checked before anything is paid."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.rows.sinks import check_results_uri


def check_order_settings(task: Any) -> None:
    """Refuse settings of `GenAIBatchOperator` that cannot be meant.

    Raises:
        ConfigurationError, InputError: the message names the setting.
    """
    if task.on_timeout not in ("cancel", "leave"):
        msg = f'on_timeout is "cancel" or "leave", not {task.on_timeout!r}.'
        raise ConfigurationError(msg)
    for name in ("results_uri", "display_name"):
        if not isinstance(value := getattr(task, name), (str, type(None))):
            msg = f"{name} is {value!r}, which is no string."
            raise ConfigurationError(msg)
    for name in ("wait", "deferrable", "cancel_on_kill", "reattach", "ordered"):
        check_flag(name, getattr(task, name))
    check_seconds("poll_interval", task.poll_interval, optional=False)
    for name in ("timeout", "pending_timeout"):
        check_seconds(name, getattr(task, name))
    check_allowance(task.max_failed_rows)
    check_count("retry_failed_rows", task.retry_failed_rows, least=0, optional=False)
    check_count("max_active_jobs", task.max_active_jobs, least=1, optional=False)
    for name in ("max_rows_per_job", "max_bytes_per_job"):
        check_count(name, getattr(task, name), least=1)
    if task.max_cost is not None and not (_is_number(task.max_cost) and 0 < task.max_cost < math.inf):
        msg = f"max_cost is {task.max_cost!r}; give USD above 0, as a number."
        raise ConfigurationError(msg)
    if task.results_uri is not None:
        check_results_uri(task.results_uri)
        if not task.wait:
            msg = "With wait=False no rows are landed: leave results_uri to a GenAIBatchResultsOperator downstream."
            raise ConfigurationError(msg)


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False: a word such as "false" would be true.

    Raises:
        ConfigurationError: it is neither.
    """
    if not isinstance(value, bool):
        msg = f"{name} is {value!r}; give True or False."
        raise ConfigurationError(msg)


def check_seconds(name: str, value: Any, *, optional: bool = True) -> None:
    """Refuse what is no span of time; None is one that was not given, where it is `optional`.

    Raises:
        ConfigurationError: it is not, or it is nothing or less.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if not (value is None and optional) and not (_is_number(value) and 0 < value < math.inf):
        msg = f"{name} is {value!r}; give seconds above 0, as a number or a timedelta."
        raise ConfigurationError(msg)


def check_count(name: str, value: Any, *, least: int, optional: bool = True) -> None:
    """Refuse what is no number of things; None is one that was not given, where it is `optional`.

    Raises:
        ConfigurationError: it is not, or it is too small.
    """
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        msg = f"{name} is {value!r}; give a whole number, {least} or more."
        raise ConfigurationError(msg)


def check_allowance(value: Any) -> None:
    """Refuse a ``max_failed_rows`` that is neither a count (int) nor a fraction (float up to 1.0).

    Raises:
        ConfigurationError: it is neither.
    """
    if not _is_number(value) or value < 0 or (isinstance(value, float) and value > 1):
        msg = f"max_failed_rows is {value!r}; give a count (int) or a fraction of all rows (float up to 1.0)."
        if isinstance(value, float) and value > 1 and value.is_integer():
            msg += f" Write {int(value)} if {int(value)} rows may fail."
        raise ConfigurationError(msg)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
