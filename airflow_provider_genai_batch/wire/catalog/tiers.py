"""The models that take immediate calls, with their tiers and locations.

Sources: "Flex inference" (Gemini API, copies after September 2026), "Flex PayGo" (Vertex AI, 2026): a region serves a
flex call at full price without notice.
"""

from __future__ import annotations

import re

from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.catalog.publishers import family_of
from airflow_provider_genai_batch.wire.prompts.backend_fields import SERVICE_NAMES

_THIRD = r"gemini-3\.[5-8]-flash|gemini-3\.[15]-flash-lite|gemini-3\.1-pro-preview|gemini-3-flash-preview"
_FLEX = {
    Backend.GEMINI: re.compile(rf"{_THIRD}|gemini-2\.5-(?:pro|flash|flash-lite)"),
    # Its page names no 2.5 model; a price list does, and the service's behaviour is not known.
    Backend.VERTEX: re.compile(_THIRD),
}
_GLOBAL = "global"
_PILOT = 'A pilot can be a job, too: Pilot(100, tier="batch").'
_OWN_MODELS = re.compile(r"tunedModels/|projects/(?!.*/publishers/)")


def check_tier(tier: Tier, model: str, backend: Backend, task: Task, location: str) -> None:
    """Refuse immediate calls that the model cannot take, before anything is sent.

    Args:
        tier: the tier of the calls.
        model: as `read_model` returns it.
        backend: the connection's.
        task: what the model does.
        location: the connection's; the Gemini API has none.

    Raises:
        UnsupportedError: the model or the location has no such tier.
    """
    _check_at_once(model, backend, task)
    if tier is Tier.FLEX:
        _check_flex(model, backend, task, location)


def _check_at_once(model: str, backend: Backend, task: Task) -> None:
    name = model.rpartition("/")[2]
    if family_of(model) is not Family.GOOGLE or _OWN_MODELS.match(model):
        msg = f"{name} runs in batch jobs only; immediate calls take Google's base models. {_PILOT}"
        raise UnsupportedError(msg)
    if task is Task.EMBED and backend is Backend.VERTEX:
        service = SERVICE_NAMES[backend]
        msg = f"{name} on {service} runs in batch jobs only; the Gemini API takes immediate calls. {_PILOT}"
        raise UnsupportedError(msg)


def _check_flex(model: str, backend: Backend, task: Task, location: str) -> None:
    name, service = model.rpartition("/")[2], SERVICE_NAMES[backend]
    if task is Task.EMBED or _FLEX[backend].fullmatch(name) is None:
        msg = f'{name} has no flex tier on {service}. Ask it as "standard", at full price, or in a batch job.'
        raise UnsupportedError(msg)
    if backend is Backend.VERTEX and location != _GLOBAL:
        msg = (
            f"Vertex AI has flex in location global only, and bills a flex call in {location} at full price. Use a "
            "connection with location global, or a batch job."
        )
        raise UnsupportedError(msg)


def tiers_at_once(model: str, backend: Backend, task: Task, location: str) -> list[Tier]:
    """Return the tiers in which a model takes immediate calls; the arguments are those of `check_tier`."""
    try:
        _check_at_once(model, backend, task)
    except UnsupportedError:
        return []
    try:
        _check_flex(model, backend, task, location)
    except UnsupportedError:
        return [Tier.STANDARD]
    return [Tier.FLEX, Tier.STANDARD]


def check_counted(model: str, backend: Backend, task: Task) -> None:
    """Refuse models whose tokens the service is not known to count.

    Raises:
        UnsupportedError: the model is one of them.
    """
    embeds = task is Task.EMBED and backend is Backend.VERTEX
    if embeds or family_of(model) is not Family.GOOGLE or _OWN_MODELS.match(model):
        msg = f"{SERVICE_NAMES[backend]} is not known to count tokens of {model.rpartition('/')[2]}."
        raise UnsupportedError(msg)
