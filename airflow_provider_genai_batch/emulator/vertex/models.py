"""The models that run in batches, and their locations. Sources: Google's list, the pages of each family, model cards.

If the documents do not exclude a location, a job is accepted there.
"""

from __future__ import annotations

import re

from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.switches import Switches

GEMINI, EMBED, PREDICT, CLAUDE, OPEN = "gemini", "embed", "predict", "claude", "open"

_MODEL = re.compile(
    r"(?:projects/[^/]+/locations/[^/]+/)?publishers/(?P<publisher>[^/]+)/models/(?P<base>[^/]+)"
    r"|(?P<tuned>(?:projects/[^/]+/locations/[^/]+/)?models/\d+(?:@[\w-]+)?)"
    r"|tunedModels/(?P<foreign>[^/]+)"
)
_GLOBAL = "global"
_MULTI_REGIONS = frozenset({"us", "eu"})
_CLAUDE = re.compile(
    r"claude-(?:(?:opus|sonnet|haiku|fable|mythos)-(?P<version>\d+(?:-\d{1,2})?)|3-7-sonnet|3-5-sonnet-v2|3-5-haiku)"
    r"(?:@[\w-]+)?"
)
_OPEN = {
    "meta": re.compile(r"llama-4-(?:maverick|scout)-[a-z0-9-]+-maas"),
    "openai": re.compile(r"gpt-oss-120b-maas"),
}
"""The models that were not retired on 2026-10-21."""

_WITH_BATCH = ("gemini-", "text-embedding-", "text-multilingual-embedding-")
"""Google's own models with batches; Imagen, Veo, Gemma and multimodal embeddings are on no list."""

_EMBEDDING_001 = frozenset(
    {"us-central1", "us-east1", "us-east4", "us-west1", "us-west4", "europe-west1", "europe-west4"}
)
_LAST_REGIONAL_CLAUDE = (4, 6)


def family_of(model: str) -> str:
    """Return the family of a model that exists."""
    if "publishers/anthropic/" in model:
        return CLAUDE
    if any(f"publishers/{publisher}/" in model for publisher in _OPEN):
        return OPEN
    if names.predicts(model):
        return PREDICT
    return EMBED if names.embeds(model) else GEMINI


def check_model(model: object, location: str, switches: Switches) -> str:
    """Return a model's name if it runs in batches in a location.

    Raises:
        ApiError: 400 for an invalid model name, 404 for a model that does not exist, or not in this location.
    """
    found = _MODEL.fullmatch(model) if isinstance(model, str) else None
    if found is None or not isinstance(model, str):
        message = f"Invalid resource field value in the request: model '{model}'."
        raise ApiError(400, message)
    base, publisher = found["base"], found["publisher"]
    if found["tuned"]:
        known = location != _GLOBAL
    elif publisher == "google":
        known = names.exists(base) and base.startswith(_WITH_BATCH) and _is_served(base, location, switches)
    elif publisher == "anthropic":
        known = _is_claude(base, location, switches)
    else:
        pattern = _OPEN.get(publisher or "")
        known = pattern is not None and pattern.fullmatch(base) is not None and location != _GLOBAL
    if not known:
        message = (
            f"Publisher Model `{model}` was not found or your project does not have access to it. Please "
            "ensure you are using a valid model version."
        )
        raise ApiError(404, message)
    return model


def _is_served(base: str, location: str, switches: Switches) -> bool:
    regional = location != _GLOBAL and location not in _MULTI_REGIONS
    if names.speaks(base):
        return switches.speech
    if names.draws(base) and base.startswith("gemini-3.1"):
        return not regional
    if base.startswith("gemini-embedding-001"):
        return not regional or location in _EMBEDDING_001
    return True


def _is_claude(base: str, location: str, switches: Switches) -> bool:
    found = _CLAUDE.fullmatch(base)
    if found is None or location == _GLOBAL:
        return False
    if not switches.card_regions or location in _MULTI_REGIONS:
        return True
    version = tuple(int(part) for part in (found["version"] or "3").split("-"))
    return version <= _LAST_REGIONAL_CLAUDE and location != "us-central1"
