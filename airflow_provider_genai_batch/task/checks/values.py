"""Checks of single settings by their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import PurePath
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.settings.pilot import check_pilot
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.checks.row_checks import check_checks


def _check_validate(name: str, value: Any) -> None:
    if value not in (None, "python"):
        msg = f'{name} is "python", or left out, not {value!r}.'
        raise ConfigurationError(msg)


def check_flag(name: str, value: Any) -> None:
    """Refuse a value that is neither True nor False: a word such as "false" would count as true.

    Raises:
        ConfigurationError: it is neither.
    """
    if not isinstance(value, bool):
        msg = f"{name} is {value!r}; give True or False."
        raise ConfigurationError(msg)


def check_seconds(name: str, value: Any, *, optional: bool = True) -> None:
    """Refuse a value that is not a duration. If it is `optional`, None means that it was not given.

    Raises:
        ConfigurationError: it is not a duration, or it is 0 or less.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if not (value is None and optional) and not (_is_number(value) and 0 < value < math.inf):
        msg = f"{name} is {value!r}; give seconds above 0, as a number or a timedelta."
        raise ConfigurationError(msg)


def check_count(name: str, value: Any, *, least: int, optional: bool = True) -> None:
    """Refuse a value that is not a whole number. If it is `optional`, None means that it was not given.

    Raises:
        ConfigurationError: it is not a whole number, or it is below `least`.
    """
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        msg = f"{name} is {value!r}; give a whole number, {least} or more."
        raise ConfigurationError(msg)


def _check_priority(name: str, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        msg = f"{name} is {value!r}; give a whole number."
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


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, (str, type(None))):
        msg = f"{name} is {value!r}, which is not a string."
        raise ConfigurationError(msg)


_WORDS = {"on_timeout": ("cancel", "leave"), "on_check": ("fail", "warn")}


def _check_word(name: str, value: Any) -> None:
    one, other = _WORDS[name]
    if value not in (one, other):
        msg = f'{name} is "{one}" or "{other}", not {value!r}.'
        raise ConfigurationError(msg)


_TIERS = [tier.value for tier in Tier]


TIERS_AT_ONCE = [tier.value for tier in Tier if tier.at_once]


def _check_tier(name: str, value: Any) -> None:
    words = _TIERS if name == "tier" else TIERS_AT_ONCE
    if value not in words and not (value is None and name == "retry_tier"):
        msg = f"{name} is {' or '.join(f'{word!r}' for word in words)}, not {value!r}."
        raise ConfigurationError(msg)


def _check_cost(name: str, value: Any) -> None:
    if value is not None and not (_is_number(value) and 0 < value < math.inf):
        msg = f"{name} is {value!r}; give USD above 0, as a number."
        raise ConfigurationError(msg)


def check_reuse(name: str, value: Any) -> None:
    """Refuse a value of `reuse` that does not name earlier results.

    Raises:
        ConfigurationError: it does not.
    """
    results = getattr(value, "results", value)
    if results in (None, True, False) and value is results:
        return
    for one in results if isinstance(results, (list, tuple)) else [results]:
        path = isinstance(one, (str, PurePath)) and str(one)
        if one is not True and not path and not isinstance(one, Mapping) and not hasattr(one, "results_uri"):
            msg = (
                f"{name} is {value!r}; give True, an address or path of landed rows, a manifest, a list of these, or "
                "Reuse(results, max_age=…)."
            )
            raise ConfigurationError(msg)
    age = getattr(value, "max_age", None)
    if age is not None and age <= timedelta(0):
        msg = f"max_age of {name} is {age!r}; give a timedelta above 0."
        raise ConfigurationError(msg)


def check_answers(name: str, value: Any) -> None:
    """Refuse values of `keep` and `truncated` that do not exist.

    Raises:
        ConfigurationError: the value does not exist.
    """
    words = {"keep": (None, "response"), "truncated": ("ok", "invalid")}[name]
    if not (value is None or isinstance(value, str)) or value not in words:
        msg = f"{name} is {' or '.join(map(repr, words))}, not {value!r}."
        raise ConfigurationError(msg)


CHECKS: dict[str, Callable[[str, Any], None]] = {
    "checks": check_checks,
    "pilot": check_pilot,
    **dict.fromkeys(("on_check", "on_timeout"), _check_word),
    **dict.fromkeys(("keep", "truncated"), check_answers),
    **dict.fromkeys(("results_uri", "media_uri", "display_name", "prompt_name"), _check_text),
    **dict.fromkeys(("wait", "deferrable", "cancel_on_kill", "reattach"), check_flag),
    **dict.fromkeys(("ordered", "plan_only", "dedupe"), check_flag),
    "poll_interval": partial(check_seconds, optional=False),
    **dict.fromkeys(("timeout", "pending_timeout"), check_seconds),
    "max_failed_rows": lambda _, value: check_allowance(value),
    "retry_failed_rows": partial(check_count, least=0, optional=False),
    "max_active_jobs": partial(check_count, least=1, optional=False),
    **dict.fromkeys(
        ("max_requests_per_job", "max_bytes_per_job", "max_bytes"), partial(check_count, least=1)
    ),
    **dict.fromkeys(("max_cost", "max_cost_per_day"), _check_cost),
    "priority": _check_priority,
    "validate": _check_validate,
    **dict.fromkeys(("tier", "retry_tier"), _check_tier),
    "online_below": partial(check_count, least=1),
    "reuse": check_reuse,
}


MAY_BE_NONE = ("checks", "pilot")
"""Settings that are not checked if they are None. The checks of the other settings handle None themselves."""
