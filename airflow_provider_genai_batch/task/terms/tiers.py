"""The tier of each round: jobs or immediate calls."""

from __future__ import annotations

from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.checks.at_once import tiers_at_once
from airflow_provider_genai_batch.task.inputs.unreadable import unreadable_source
from airflow_provider_genai_batch.task.settings.order import Order
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.wire.catalog.tiers import check_tier


def first_tier(settings: RunSettings, requests: int | None) -> Tier:
    """Return the tier of the first round.

    Args:
        settings: the task's settings.
        requests: number of requests; None: unknown.
    """
    own = Tier(settings.tier)
    few = settings.online_below is not None and requests is not None and requests < settings.online_below
    return Tier.STANDARD if few and own is Tier.BATCH else own


def later_tier(settings: RunSettings, before: Tier) -> Tier:
    """Return the tier of the round that follows a round in tier `before`."""
    return before if settings.retry_tier is None else Tier(settings.retry_tier)


def check_tiers(settings: RunSettings, order: Order, location: str) -> None:
    """Refuse tiers that the model, its location or the source does not support, before anything is read or sent.

    Args:
        settings: the task's settings.
        order: the job's parameters.
        location: the connection's location.

    Raises:
        UnsupportedError: the tier is not available; the message says what is.
    """
    for tier in tiers_at_once(settings):
        check_tier(tier, order.model, order.backend, order.task, location)
    source = order.source
    if order.table is not None:  # of immediate calls, there is only the pilot, whose requests are read
        return
    if source.bigquery_uri or source.file_name:
        raise unreadable_source(source.bigquery_uri or source.file_name or "")
