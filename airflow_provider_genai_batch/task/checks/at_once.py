"""Checks of the settings that send requests as immediate calls, together with the other settings."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.tables.sql import has_no_file

AT_ONCE = ("tier", "online_below", "retry_tier", "pilot")
"""Settings that send requests as immediate calls."""


def check_at_once(task: Any, wanted: list[str]) -> None:
    """Refuse immediate calls that the other settings rule out.

    Args:
        task: the operator.
        wanted: the settings of `AT_ONCE` that the operator has and whose values are known.

    Raises:
        ConfigurationError: there would be no file for the answers, or the task would not wait for them.
    """
    if "pilot" in wanted and tier_of_pilot(task) == Tier.BATCH.value:
        _check_pilot_in_batch(task)
        wanted.remove("pilot")
    if not wanted:
        return
    how = f"{wanted[0]}={getattr(task, wanted[0])!r} asks requests at once"
    if has_no_file(task.results_uri):
        if wanted == ["pilot"]:
            msg = (
                f"pilot={task.pilot!r} asks a sample at once; its answers are kept beside a file of rows, which the "
                'task does not have: give it a file as results_uri, or ask it in a job, by Pilot(rows=…, tier="batch").'
            )
            raise ConfigurationError(msg)
        msg = (
            f"{how}, and their answers are nowhere but where this task keeps them, beside its rows: give it a file as "
            f"results_uri, or leave {wanted[0]} out, as the rows of a table in BigQuery have to."
        )
        raise ConfigurationError(msg)
    if task.wait is False:
        msg = f"{how}, which takes as long as the task runs: leave wait=False out, or {wanted[0]}."
        raise ConfigurationError(msg)


def tier_of_pilot(task: Any) -> Any:
    """Return the tier of a pilot; None if there is no pilot."""
    pilot = Pilot.of(task.pilot)
    return None if pilot is None else pilot.tier


def _check_pilot_in_batch(task: Any) -> None:
    if task.wait is False:
        msg = "pilot is judged before the other requests are asked, so the task waits: leave wait=False out."
        raise ConfigurationError(msg)
    if task.ready_by is not None:
        msg = 'A pilot of tier "batch" may take a day, and ready_by is to be kept: ask it as "standard".'
        raise ConfigurationError(msg)


def tiers_at_once(task: Any) -> list[Tier]:
    """Return the tiers of a task's possible immediate calls. A template that is not rendered yet names no tier."""
    small = None if task.online_below is None else Tier.STANDARD.value
    named = [task.tier, task.retry_tier, small, tier_of_pilot(task)]
    return [tier for tier in (Tier.FLEX, Tier.STANDARD) if tier.value in named]
