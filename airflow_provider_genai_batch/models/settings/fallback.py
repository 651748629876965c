"""Fallbacks for a job that does not leave the queue: another model or connection, or immediate calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Noun
from airflow_provider_genai_batch.models.settings.ready_by import LADDER
from airflow_provider_genai_batch.models.tier import Tier

MOST_FALLBACKS = 9
"""The most fallbacks, because a round's number has no room for more, see `models.jobs.identity.FALLBACK_ROUNDS`."""
_WRITE = 'Write a tier ("flex", "standard"), a model, {"model": …}, {"conn_id": …} or a Fallback.'


class Fallback(Noun):
    """Another way to get answers. Fields that are left out are those of the task. Each field may be a template.

    Args:
        model: the model.
        conn_id: the Airflow connection, for example of another location, project or service.
        tier: ``batch``: a job of its own; ``flex`` or ``standard``: immediate calls.
    """

    model: Any = None
    conn_id: Any = None
    tier: Any = Tier.BATCH.value

    @property
    def at_once(self) -> bool:
        """Whether its requests are sent as immediate calls."""
        return self.tier in LADDER

    def __str__(self) -> str:
        """Return it as a part of a line."""
        named = [("model ", self.model), ("connection ", self.conn_id)]
        own = [word + str(value) for word, value in named if value is not None]
        return ", ".join([*own, *([f"the {self.tier} tier"] if self.at_once else [])])


def read_fallbacks(value: Any) -> tuple[Fallback, ...]:
    """Read the operator's parameter: a list of fallbacks, dicts of their fields, tiers or models.

    Raises:
        ConfigurationError: one is not valid; the message names it.
    """
    given = [] if value is None else value if isinstance(value, (list, tuple)) else [value]
    return tuple(map(_read, given))


def _read(value: Any) -> Fallback:
    if isinstance(value, Fallback):
        return value
    if isinstance(value, str) and value:
        return Fallback(tier=value) if value in LADDER else Fallback(model=value)
    if isinstance(value, Mapping) and value and set(value) <= set(Fallback.model_fields):
        return Fallback(**value)
    msg = f"fallbacks: {value!r} is not a fallback. {_WRITE}"
    raise ConfigurationError(msg)


def check_fallbacks(name: str, value: Any) -> None:
    """Refuse invalid fallbacks.

    Raises:
        ConfigurationError: one is not valid; the message names it.
    """
    found = read_fallbacks(value)
    if len(found) > MOST_FALLBACKS:
        msg = f"{name} are {len(found)}; give at most {MOST_FALLBACKS}."
        raise ConfigurationError(msg)
    for one in found:
        for field in ("model", "conn_id"):
            if not isinstance(getattr(one, field), (str, type(None))) or getattr(one, field) == "":
                msg = f"{name}: {field} is {getattr(one, field)!r}, which is not a name. {_WRITE}"
                raise ConfigurationError(msg)
        if one.tier not in {tier.value for tier in Tier}:
            msg = f"{name}: tier is {one.tier!r}; it is {', '.join(tier.value for tier in Tier)}."
            raise ConfigurationError(msg)
        if one == Fallback():
            msg = f"{name}: {value!r} has one that changes nothing. {_WRITE}"
            raise ConfigurationError(msg)
        if one.at_once and one.conn_id is not None:
            msg = (
                f"{name}: {one.tier!r} at the connection {one.conn_id!r}: immediate calls go through the task's own "
                "connection. Leave the tier or the connection out."
            )
            raise ConfigurationError(msg)
    _check_order(name, found)


def _check_order(name: str, found: tuple[Fallback, ...]) -> None:
    """Refuse an order in which a fallback would never be tried."""
    first = next((place for place, one in enumerate(found) if one.at_once), len(found))
    last = found[first:]
    tiers = [one.tier for one in last]
    if tiers not in ([], *([tier] for tier in LADDER), [*LADDER]) or len({one.model for one in last}) > 1:
        msg = (
            f"{name}: immediate calls come last, because no job waits after them: models and connections first, then "
            f'"flex", "standard" or both in this order, of one model. These are {"; ".join(map(str, found))}.'
        )
        raise ConfigurationError(msg)
