"""The publisher of a model: it decides the model's family, and whether a batch runs the model at all.

Source: "Batch predictions with Anthropic Claude models", "Batch prediction" of MaaS with its table of retirements, and
the models' own pages, all of autumn 2026.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from airflow_provider_genai_batch.exceptions import UnsupportedError
from airflow_provider_genai_batch.models.base import Backend, Task
from airflow_provider_genai_batch.models.family import Family

_PUBLISHED = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/([^/]+)/models/([^/]+)")
_SHORT = re.compile(r"([a-z0-9-]+)/([^/]+)")
_BARE = re.compile(
    r"(?:(?P<anthropic>claude)|(?P<meta>llama)|(?P<openai>gpt-oss|gpt-\d|o\d-)|(?P<qwen>qwen)|(?P<xai>grok)"
    r"|(?P<mistralai>mistral|mixtral|codestral|ministral|magistral)|(?P<ai21>jamba)|(?P<moonshotai>kimi)"
    r"|(?P<minimaxai>minimax)|(?P<intfloat>multilingual-e5)|(?P<zaiorg>glm-)|(?P<deepseekai>deepseek))",
    re.IGNORECASE,
)
"""Names without a publisher that belong to publishers other than Google."""
_HYPHENS = {"zaiorg": "zai-org", "deepseekai": "deepseek-ai"}
FAMILIES = {
    "google": Family.GOOGLE,
    "anthropic": Family.ANTHROPIC,
    "meta": Family.OPENAI,
    "openai": Family.OPENAI,
}
"""Publishers of models that batch runs, with the format of their requests and rows."""
OPEN_MODELS = ("llama-4", "gpt-oss-120b")
"""Name prefixes of the models that remain in the list of open models in batch, in autumn 2026."""
_INSTEAD = (
    "Take Gemini, Claude (publishers/anthropic/models/claude-sonnet-4-6), Llama 4 (publishers/meta/models/"
    "llama-4-maverick-17b-128e-instruct-maas) or gpt-oss (publishers/openai/models/gpt-oss-120b-maas), or ask it "
    "online"
)


class _Retired(NamedTuple):
    """Models that batch no longer runs."""

    publisher: str
    name: re.Pattern[str]
    since: str


class _Without(NamedTuple):
    """Models that no batch runs."""

    publisher: str
    name: re.Pattern[str]
    shown: str
    instead: str
    backends: tuple[Backend, ...] = tuple(Backend)


_OCTOBER = "2026-10-21"
_RETIRED = (
    _Retired("deepseek-ai", re.compile(".*"), _OCTOBER),
    _Retired("qwen", re.compile(".*"), _OCTOBER),
    _Retired("meta", re.compile(r"llama-3\.3.*"), _OCTOBER),
    _Retired("openai", re.compile("gpt-oss-20b.*"), _OCTOBER),
    _Retired("moonshotai", re.compile(".*"), _OCTOBER),
    _Retired("minimaxai", re.compile(".*"), _OCTOBER),
    _Retired("zai-org", re.compile(".*"), _OCTOBER),
    _Retired("intfloat", re.compile(".*"), _OCTOBER),
    _Retired("ai21", re.compile(".*"), "2026-02-27"),
)
_ONLY_VERTEX = (Backend.VERTEX,)
_WITHOUT = (
    _Without(
        "google",
        re.compile("imagen.*|imagegeneration.*|virtual-try-on.*"),
        "Imagen",
        "For pictures take a Gemini image model, such as gemini-2.5-flash-image, or ask it online",
    ),
    _Without("google", re.compile("veo-.*"), "Veo", "Ask it online: it has a long-running method of its own"),
    _Without("google", re.compile("lyria-.*"), "Lyria", "Ask it online"),
    _Without(
        "google",
        re.compile("multimodalembedding.*"),
        "multimodalembedding",
        "Take gemini-embedding-2, which embeds pictures too, or ask it online",
        _ONLY_VERTEX,
    ),
    _Without("google", re.compile("(?:med)?gemma.*"), "Gemma", _INSTEAD, _ONLY_VERTEX),
    _Without("mistralai", re.compile(".*"), "Mistral", _INSTEAD),
    _Without("xai", re.compile(".*"), "Grok", _INSTEAD),
    _Without(
        "anthropic",
        re.compile("claude-3-haiku.*"),
        "Claude 3 Haiku",
        "Take a later one, such as publishers/anthropic/models/claude-haiku-4-5@20251001",
    ),
)


def publisher_of(model: str) -> tuple[str | None, str]:
    """Return a model's publisher and its own name; the publisher is None for a tuned model."""
    if found := _PUBLISHED.fullmatch(model) or _SHORT.fullmatch(model.removeprefix("models/")):
        return found[1], found[2]
    name = model.removeprefix("models/")
    if "/" in name:
        return None, name.rpartition("/")[2]
    found = _BARE.match(name)
    by = found.lastgroup if found else None
    return _HYPHENS.get(by, by) if by else "google", name


def family_of(model: str | None) -> Family:
    """Return the family that a model's name belongs to; it decides the format. Unknown models count as Google's."""
    return FAMILIES.get(publisher_of(model or "")[0] or "google", Family.GOOGLE)


def task_of(model: str) -> Task:
    """Return the task of a job by the model's name: names of Google's embedding models contain ``embedding``."""
    return Task.EMBED if "embedding" in model.rpartition("/")[2] else Task.GENERATE


def check_has_type(model: str) -> None:
    """Refuse `output_type` for an embedding model: no text is checked against it, so every row would be invalid.

    Raises:
        UnsupportedError: the model makes embeddings.
    """
    if task_of(model) is Task.EMBED:
        msg = (
            f"output_type: {model.rpartition('/')[2]} makes embeddings, whose numbers are the output of a row as they "
            "are. Leave output_type out."
        )
        raise UnsupportedError(msg)


def named_in_full(model: str) -> str:
    """Add the publisher to a bare name of another publisher, for Vertex AI; return other names as they are.

    Anthropic's own client for Vertex AI takes bare names, so users have them.
    """
    publisher, name = publisher_of(model)
    if "/" in model or publisher == "google":
        return model
    return f"publishers/{publisher}/models/{name}"


def check_has_batch(model: str, backend: Backend) -> None:
    """Refuse a model that no batch runs.

    Args:
        model: a well-formed name.
        backend: where the job goes.

    Raises:
        UnsupportedError: no batch runs it; says what to do, and since when if batch ran it before.
    """
    publisher, name = publisher_of(model)
    if publisher is None:
        return
    for retired in _RETIRED:
        if retired.publisher == publisher and retired.name.fullmatch(name):
            msg = f"{name} of {publisher} was retired on {retired.since}, and no batch runs it. {_INSTEAD}"
            raise _refused(model, msg)
    for without in _WITHOUT:
        if (
            without.publisher == publisher
            and backend in without.backends
            and without.name.fullmatch(name.lower())
        ):
            shown = f"{without.shown}, on either service"
            msg = f"none of Google's pages mentions batch jobs for {shown}. {without.instead}"
            raise _refused(model, msg)
    if publisher not in FAMILIES:
        msg = f"none of Google's pages mentions batch jobs for models of the publisher {publisher!r}. {_INSTEAD}"
        raise _refused(model, msg)
    family = FAMILIES[publisher]
    if family is Family.OPENAI and not name.lower().startswith(OPEN_MODELS):
        msg = f"{name} is not on Google's list of open models in batch, which has {', '.join(OPEN_MODELS)}. {_INSTEAD}"
        raise _refused(model, msg)
    if family is not Family.GOOGLE and backend is Backend.GEMINI:
        msg = (
            f"{name} is a model of {publisher}, which Vertex AI runs and the Gemini API does not. Set "
            '"project" and "location" in the connection\'s extra and give an account in place of the API key'
        )
        raise _refused(model, msg)


def _refused(model: str, why: str) -> UnsupportedError:
    return UnsupportedError(f"model={model!r} cannot run in a batch: {why}. Nothing was sent.")
