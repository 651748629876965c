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
    how = f"{wanted[0]}={getattr(task, wanted[0])!r} sends requests as immediate calls"
    if has_no_file(task.results_uri) and wanted == ["pilot"]:
        if not _may_land_in_table(task):
            raise no_rows_for_pilot(task.pilot)
    elif has_no_file(task.results_uri):
        msg = (
            f"{how}, whose answers only this task keeps, in files beside its rows: give it a file as results_uri, or "
            f"leave {wanted[0]} out, which a task with rows in a BigQuery table always has to."
        )
        raise ConfigurationError(msg)
    if task.wait is False:
        msg = f"{how}, and the task has to wait for their answers: leave wait=False out, or {wanted[0]}."
        raise ConfigurationError(msg)


def _may_land_in_table(task: Any) -> bool:
    """Whether rows land in a BigQuery table, as far as is known when a DAG is parsed."""
    dest = None if task.prompt is None else task.dest
    elsewhere = isinstance(dest, str) and dest.startswith("gs://")
    return task.results_uri is not None or (dest is not None and not elsewhere)


def check_place_of_pilot(pilot: Any, *, in_table: bool, place: str | None) -> None:
    """Refuse a pilot of immediate calls whose answers have no place.

    Args:
        pilot: the parameter.
        in_table: whether rows land in a BigQuery table.
        place: the address beside which answers are kept; None: there is none.

    Raises:
        ConfigurationError: rows land nowhere, or there is no such address.
    """
    one = Pilot.of(pilot)
    if one is None or one.tier == Tier.BATCH.value:
        return
    if not in_table:
        raise no_rows_for_pilot(pilot)
    if place is None:
        raise _no_place_for_pilot(pilot)


def no_rows_for_pilot(pilot: Any) -> ConfigurationError:
    """Return the refusal of immediate calls of a task that lands no rows."""
    return ConfigurationError(
        f"pilot={pilot!r} sends a sample as immediate calls, whose answers are kept beside a file of rows, which the "
        "task does not have: give it a file as results_uri, or send the sample in a job, with "
        'Pilot(rows=…, tier="batch").'
    )


def _no_place_for_pilot(pilot: Any) -> ConfigurationError:
    return ConfigurationError(
        f"pilot={pilot!r} sends a sample as immediate calls, whose answers are kept in Cloud Storage if rows land in a "
        "table, and the connection names no place there. Nothing was sent. Set staging_uri in the connection, or send "
        'the sample in a job, with Pilot(rows=…, tier="batch").'
    )


def tier_of_pilot(task: Any) -> Any:
    """Return the tier of a pilot; None if there is no pilot."""
    pilot = Pilot.of(task.pilot)
    return None if pilot is None else pilot.tier


def _check_pilot_in_batch(task: Any) -> None:
    if task.wait is False:
        msg = "A pilot is judged before the other requests are sent, so the task has to wait: leave wait=False out."
        raise ConfigurationError(msg)
    if task.ready_by is not None:
        msg = (
            'A pilot of tier "batch" may take a day, so ready_by may be missed: give it the tier "standard".'
        )
        raise ConfigurationError(msg)


def tiers_at_once(task: Any) -> list[Tier]:
    """Return the tiers of a task's possible immediate calls. A template that is not rendered yet names no tier."""
    small = None if task.online_below is None else Tier.STANDARD.value
    named = [task.tier, task.retry_tier, small, tier_of_pilot(task)]
    return [tier for tier in (Tier.FLEX, Tier.STANDARD) if tier.value in named]
