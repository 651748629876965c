"""The tier of each round: in jobs, or at once."""

from __future__ import annotations

from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.task.checks.checks import tiers_at_once
from airflow_provider_genai_batch.task.inputs.unreadable import unreadable_source
from airflow_provider_genai_batch.task.settings.order import Order
from airflow_provider_genai_batch.task.settings.settings import RunSettings
from airflow_provider_genai_batch.wire.catalog.tiers import check_tier


def first_tier(settings: RunSettings, requests: int | None) -> Tier:
    """Return the tier of the first round.

    Args:
        settings: of the task.
        requests: how many there are; None: nobody here knows.
    """
    own = Tier(settings.tier)
    few = settings.online_below is not None and requests is not None and requests < settings.online_below
    return Tier.STANDARD if few and own is Tier.BATCH else own


def later_tier(settings: RunSettings, before: Tier) -> Tier:
    """Return the tier of a round that follows one of another tier, or of the same."""
    return before if settings.retry_tier is None else Tier(settings.retry_tier)


def check_tiers(settings: RunSettings, order: Order, location: str) -> None:
    """Refuse tiers that the model, its place or the source does not have, before anything is read or sent.

    Args:
        settings: of the task.
        order: what is asked.
        location: of the connection.

    Raises:
        UnsupportedError: there is no such tier; the message says what can be asked.
    """
    for tier in tiers_at_once(settings):
        check_tier(tier, order.model, order.backend, order.task, location)
    source = order.source
    if order.table is not None and (order.table.streamed or not tiers_at_once(settings)):
        return
    if source.bigquery_uri or source.file_name:
        raise unreadable_source(source.bigquery_uri or source.file_name or "")
