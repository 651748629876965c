"""Checks names of models before they become part of a path: a wrong name could address another model.

Source: the names in Google's batch guides for both services; how Google's google-genai SDK resolves a short name.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_genai_batch.exceptions import ConfigurationError, InputError, RequestError
from airflow_provider_genai_batch.models.base import Backend
from airflow_provider_genai_batch.wire.catalog.publishers import check_has_batch, named_in_full
from airflow_provider_genai_batch.wire.prompts.backend_fields import SERVICE_NAMES
from airflow_provider_genai_batch.wire.services.vertex import LOCATION, PROJECT

_ID = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*(?:@[A-Za-z0-9._-]+)?"
_OF_GEMINI = re.compile(rf"(?:(?:models|tunedModels)/)?{_ID}")
_OF_VERTEX = re.compile(
    rf"(?:(?:projects/{PROJECT}/locations/{LOCATION}/)?publishers/[A-Za-z0-9_-]+/models/)?{_ID}"
    rf"|projects/{PROJECT}/(?:locations/{LOCATION}/)?(?:models|endpoints)/{_ID}"
)
_SHORT = re.compile(rf"([a-z0-9-]+)/({_ID})")
"""A publisher and its model, as the SDK takes them for Vertex AI."""
_TOOL = re.compile(rf"(?:[A-Za-z][A-Za-z0-9_-]*[/:])+({_ID})")
"""A model with prefixes by which other tools select a service."""
_NO_PUBLISHERS = frozenset(
    {
        "endpoints",
        "gemini",
        "genai",
        "google-genai",
        "google-vertex",
        "litellm",
        "models",
        "openrouter",
        "vertexai",
    }
)
_RENDERED = frozenset({"none", "null", "undefined"})
_TAKEN = {
    Backend.GEMINI: "gemini-2.5-flash, models/gemini-2.5-flash or tunedModels/my-model",
    Backend.VERTEX: (
        "gemini-2.5-flash, publishers/google/models/gemini-2.5-flash, or projects/P/locations/L/models/M for a model "
        "of your own"
    ),
}


def read_model(model: Any, backend: Backend) -> str:
    """Read the name of a job's model.

    Args:
        model: as the user wrote it; spaces around it are ignored.
        backend: where the job goes.

    Returns:
        The name; `model_path` of the service makes a path of it.

    Raises:
        InputError: it is not a model's name; says what to write.
        UnsupportedError: no batch runs the model.
        ConfigurationError: it is a name of the other service; says what selects the service.
    """
    if not isinstance(model, str) or not model.strip():
        msg = f"model is {'empty' if isinstance(model, str) else repr(model)}: give one such as gemini-2.5-flash."
        raise InputError(msg)
    name = model.strip()
    if name.lower() in _RENDERED:
        msg = f"model={model!r} is what a template makes of nothing: give one such as gemini-2.5-flash."
        raise InputError(msg)
    if backend is Backend.GEMINI and name.startswith(("publishers/", "projects/")):
        raise _of_the_other_service(name)
    plain = (_OF_GEMINI if backend is Backend.GEMINI else _OF_VERTEX).fullmatch(name)
    short = _SHORT.fullmatch(name) if backend is Backend.VERTEX else None
    if plain or (short and short[1] not in _NO_PUBLISHERS):
        check_has_batch(name, backend)
        return named_in_full(name) if backend is Backend.VERTEX else name
    tail = name.rpartition("/")[2]
    if backend is Backend.VERTEX and name.startswith("endpoints/"):
        remedy = f"Write projects/P/locations/L/{name}"
    elif found := _TOOL.fullmatch(name):
        own = (
            f", or projects/P/locations/L/models/{tail} for a model of your own"
            if name.startswith("models/")
            else ""
        )
        remedy = f"Write {found[1]}{own}"
    else:
        remedy = f"Write {_TAKEN[backend]}"
    msg = (
        f"model={model!r} is not the name of a model of {SERVICE_NAMES[backend]}. {remedy}. Nothing was sent."
    )
    raise InputError(msg)


def check_same_model(own: Any, model: str) -> None:
    """Refuse a request for a model other than the job's: the service's behaviour is not documented.

    Args:
        own: the request's model; None: it names none.
        model: the job's model.

    Raises:
        RequestError: the models differ.
    """
    if own is not None and str(own).rpartition("/")[2] != model.rpartition("/")[2]:
        msg = f"the request is for model {own}, the job for {model}"
        raise RequestError(msg, "Make one job for each model.")


def _of_the_other_service(model: str) -> ConfigurationError:
    of_google = "publishers/google/models/" in f"/{model}"
    short = f"model={model.rpartition('/')[2]!r}" if of_google else "a model of its own"
    return ConfigurationError(
        f"model={model!r} is a name of Vertex AI, and the connection means the Gemini API, because its extra has no "
        f'"project" (or says "backend": "gemini"). For Vertex AI set "project" in the connection\'s extra and give '
        f"an account in place of the API key; for the Gemini API give {short}. Nothing was sent."
    )
