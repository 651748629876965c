"""The tiers available for the rest of a job's requests, among those that ``ready_by`` names."""

from __future__ import annotations

from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.models.settings.ready_by import LADDER, ReadyBy
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.catalog.model_names import read_model
from airflow_provider_genai_batch.wire.catalog.publishers import task_of
from airflow_provider_genai_batch.wire.catalog.tiers import check_tier

ANYWHERE = "global"
"""The location that has all tiers."""


def tiers_of(ready_by: ReadyBy, model: str, backend: Backend, location: str = ANYWHERE) -> tuple[Tier, ...]:
    """Return the tiers in order; of the default ones only those that exist.

    Args:
        ready_by: the task's setting.
        model: the task's model.
        backend: the connection's backend.
        location: the connection's location.

    Raises:
        UnsupportedError: the model or the location lacks a tier that was named, or has none.
    """
    name = read_model(ready_by.model or model, backend)
    there, missing = [], {}
    for tier in map(Tier, LADDER):
        try:
            check_tier(tier, name, backend, task_of(name), location)
        except UnsupportedError as error:
            missing[tier] = error
        else:
            there.append(tier)
    named = [*map(Tier, ready_by.tiers)]
    found, lacks = [tier for tier in named if tier in there], [tier for tier in named if tier in missing]
    if lacks and not (found and ready_by.leaves_tiers_open):
        write = f" In ready_by write then={[tier.value for tier in found or there]}." if there else ""
        msg = f"{missing[lacks[-1]]}{write or ' Leave ready_by out.'}"
        raise UnsupportedError(msg) from missing[lacks[-1]]
    return tuple(found)
