"""Which other settings a deadline needs, and which it excludes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from airflow_provider_genai_batch.models.settings.ready_by import ReadyBy, check_ready_by
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.checks.at_once import tier_of_pilot
from airflow_provider_genai_batch.task.checks.values import TIERS_AT_ONCE
from airflow_provider_genai_batch.wire.tables.sql import has_no_file


def check_deadline(task: Any, known: Callable[[Any], bool]) -> None:
    """Refuse a deadline that makes no sense or cannot be kept.

    Raises:
        ConfigurationError, InputError: the message says which setting to remove.
    """
    if known(task.ready_by):
        check_ready_by(task.ready_by)
    if task.wait is False or has_no_file(task.results_uri):
        need = "wait=True" if task.wait is False else "a results_uri that is a file"
        msg = (
            f"ready_by needs {need}: the task itself gets the answers of immediate calls, and writes their rows. "
            f"{'Leave wait out' if task.wait is False else 'Give such a results_uri'}, or leave ready_by out."
        )
        raise ConfigurationError(msg)
    ready_by = ReadyBy.of(task.ready_by)
    if ready_by is not None and ready_by.at not in ("", "None"):
        _check_tiers_by_deadline(task)


def _check_tiers_by_deadline(task: Any) -> None:
    """Refuse tiers that ignore the deadline, or may miss it."""
    if task.tier in TIERS_AT_ONCE:
        msg = (
            f"tier={task.tier!r} sends all requests as immediate calls, and ready_by is for jobs that are late: leave "
            "tier out, or ready_by."
        )
        raise ConfigurationError(msg)
    pilot, ready_by = Pilot.of(task.pilot), ReadyBy.of(task.ready_by)
    other = None if ready_by is None else ready_by.model
    if pilot is not None and pilot.approve_above is not None and other not in (None, task.model):
        msg = (
            "approve_above asks a person about the cost of the pilot's model, and ready_by may send the other requests "
            f"to {other!r}: leave the model of ready_by out, or approve_above."
        )
        raise ConfigurationError(msg)
    flex = Tier.FLEX.value
    for name, tier in (("retry_tier", task.retry_tier), ("pilot", tier_of_pilot(task))):
        if tier == flex:
            msg = (
                f'{name} has the tier "flex", in which requests may wait for hours, so ready_by may be missed: give it '
                'the tier "standard".'
            )
            raise ConfigurationError(msg)
