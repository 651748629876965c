"""Which other settings fallbacks need, checked when the DAG is parsed and again before anything is paid."""

from __future__ import annotations

from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.settings.fallback import check_fallbacks, read_fallbacks
from airflow_provider_genai_batch.models.settings.pilot import Pilot
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.tables.sql import has_no_file


def check_beside_fallbacks(task: Any) -> None:
    """Refuse settings that do not go with fallbacks, and fallbacks without the settings that they need.

    Raises:
        ConfigurationError: the message says what to write.
    """
    check_fallbacks("fallbacks", task.fallbacks)
    if not task.fallbacks:
        return
    pilot = Pilot.of(task.pilot)
    for wrong, why in (
        (
            task.pending_timeout is None,
            "are tried when a job does not leave the queue: give pending_timeout, the time that it may be queued",
        ),
        (task.results_uri is None, "need results_uri: rows of several jobs land there together"),
        (
            has_no_file(task.results_uri) and any(one.at_once for one in read_fallbacks(task.fallbacks)),
            "by immediate calls keep their answers beside the rows: give a file as results_uri, or leave them out",
        ),
        (task.wait is False, "are tried while the task waits: leave wait=False out"),
        (task.reattach is False, "are found again by the next attempt: leave reattach=False out"),
        (
            task.tier in (Tier.FLEX.value, Tier.STANDARD.value),
            f"are for jobs, and tier={task.tier!r} makes none: leave tier out",
        ),
        (
            task.retry_tier is not None,
            "and retry_tier both say who answers later: leave one of them out",
        ),
        (
            task.ready_by is not None,
            "and ready_by both replace a job that is late: leave one of them out",
        ),
        (
            pilot is not None and pilot.tier == Tier.BATCH.value,
            'are not used for a pilot: give the pilot the tier "standard", or leave pilot or fallbacks out',
        ),
        (
            pilot is not None and pilot.approve_above is not None,
            "may have another cost than a person approves after a pilot: leave approve_above out, or fallbacks",
        ),
    ):
        if wrong:
            msg = f"fallbacks {why}."
            raise ConfigurationError(msg)
    _check_places(task)


def _check_places(task: Any) -> None:
    """Refuse `dest` if a fallback uses another connection, because `dest` belongs to the task's own."""
    elsewhere = [one for one in read_fallbacks(task.fallbacks) if one.conn_id is not None]
    if elsewhere and task.dest is not None:
        msg = (
            f"fallbacks: dest is a place of the task's own connection, and {elsewhere[0]} may not write there: leave "
            'dest out, and give each connection of Vertex AI a "staging_uri" in its extra.'
        )
        raise ConfigurationError(msg)
