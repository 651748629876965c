"""What is tried where a job does not leave the queue: another model or connection, or calls that answer at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError
from airflow_provider_genai_batch.models.base import Noun
from airflow_provider_genai_batch.models.settings.ready_by import LADDER
from airflow_provider_genai_batch.models.tier import Tier

MOST_FALLBACKS = 9
"""As many as there is room for in a round's number, see `models.jobs.identity.FALLBACK_ROUNDS`."""
_WRITE = 'Write a tier ("flex", "standard"), a model, {"model": …}, {"conn_id": …} or a Fallback.'


class Fallback(Noun):
    """Another way to ask. What is left out is as the task has it. Each field may be a template.

    Args:
        model: that is asked.
        conn_id: the Airflow connection, of another location, project or service.
        tier: ``batch``: in a job of its own; ``flex`` or ``standard``: at once, by calls.
    """

    model: Any = None
    conn_id: Any = None
    tier: Any = Tier.BATCH.value

    @property
    def at_once(self) -> bool:
        """Whether it asks by calls."""
        return self.tier in LADDER

    def __str__(self) -> str:
        """Say it as a part of a line."""
        named = [("model ", self.model), ("connection ", self.conn_id)]
        own = [word + str(value) for word, value in named if value is not None]
        return ", ".join([*own, *([f"the {self.tier} tier"] if self.at_once else [])])


def read_fallbacks(value: Any) -> tuple[Fallback, ...]:
    """Read the operator's parameter: a list of these, of dicts of their fields, or of tiers and models.

    Raises:
        ConfigurationError: one cannot be meant; the message names it.
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
    msg = f"fallbacks: {value!r} is none. {_WRITE}"
    raise ConfigurationError(msg)


def check_fallbacks(name: str, value: Any) -> None:
    """Refuse fallbacks that cannot be meant.

    Raises:
        ConfigurationError: the message names the one.
    """
    found = read_fallbacks(value)
    if len(found) > MOST_FALLBACKS:
        msg = f"{name} are {len(found)}; give at most {MOST_FALLBACKS}."
        raise ConfigurationError(msg)
    for one in found:
        for field in ("model", "conn_id"):
            if not isinstance(getattr(one, field), (str, type(None))) or getattr(one, field) == "":
                msg = f"{name}: {field} is {getattr(one, field)!r}, which is no name. {_WRITE}"
                raise ConfigurationError(msg)
        if one.tier not in {tier.value for tier in Tier}:
            msg = f"{name}: tier is {one.tier!r}; it is {', '.join(tier.value for tier in Tier)}."
            raise ConfigurationError(msg)
        if one == Fallback():
            msg = f"{name}: {value!r} has one that changes nothing. {_WRITE}"
            raise ConfigurationError(msg)
        if one.at_once and one.conn_id is not None:
            msg = (
                f"{name}: {one.tier!r} at the connection {one.conn_id!r}: calls that answer at once go through the "
                "task's own connection. Leave one of both out."
            )
            raise ConfigurationError(msg)
    _check_order(name, found)


def _check_order(name: str, found: tuple[Fallback, ...]) -> None:
    """Refuse what would never be tried."""
    first = next((place for place, one in enumerate(found) if one.at_once), len(found))
    last = found[first:]
    tiers = [one.tier for one in last]
    if tiers not in ([], *([tier] for tier in LADDER), [*LADDER]) or len({one.model for one in last}) > 1:
        msg = (
            f"{name}: what answers at once comes last, for nothing waits after it: models and connections first, then "
            f'"flex", "standard" or both in this order, of one model. These are {"; ".join(map(str, found))}.'
        )
        raise ConfigurationError(msg)
