"""Which settings a limit of a day excludes: no list shows immediate calls, so nobody could count them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.settings.fallback import read_fallbacks
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy
from airflow_provider_genai_batch.task.checks.values import TIERS_AT_ONCE


def check_day(task: Any, known: Callable[[Any], bool]) -> None:
    """Refuse `max_cost_per_day` beside settings that send requests as immediate calls.

    Raises:
        ConfigurationError: the message names the setting.
    """
    if why := why_not_listed(task, known):
        msg = f"max_cost_per_day={task.max_cost_per_day:g} cannot be checked: {why}, or use max_cost instead."
        raise ConfigurationError(msg)


def why_not_listed(task: Any, known: Callable[[Any], bool] = lambda _: True) -> str:
    """Return which setting may send requests as immediate calls, and what to do; empty: none does.

    Args:
        task: the operator, or its settings.
        known: returns whether a value is known yet (a template is not).
    """
    for name, (at_once, remedy) in _IMMEDIATE.items():
        value = getattr(task, name)
        if value is not None and known(value) and at_once(value):
            return (
                f"{name}={value!r} sends requests as immediate calls, which no list of jobs shows, so they would not "
                f"be counted: {remedy}"
            )
    return ""


def _by_deadline(value: Any) -> bool:
    ready_by = ReadyBy.of(value)
    return ready_by is not None and ready_by.at not in ("", "None")


def _by_pilot(value: Any) -> bool:
    pilot = Pilot.of(value)
    return pilot is not None and pilot.tier in TIERS_AT_ONCE


_IMMEDIATE: dict[str, tuple[Callable[[Any], bool], str]] = {
    "tier": (lambda value: value in TIERS_AT_ONCE, "leave it out"),
    "online_below": (lambda _: True, "leave it out"),
    "retry_tier": (lambda _: True, "leave it out"),
    "pilot": (_by_pilot, 'give the pilot the tier "batch"'),
    "ready_by": (_by_deadline, "leave it out"),
    "fallbacks": (lambda value: any(one.at_once for one in read_fallbacks(value)), "leave such tiers out"),
}
"""Settings that may send requests as immediate calls: whether a value does, and what to do about it."""
