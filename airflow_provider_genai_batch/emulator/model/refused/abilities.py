"""Requests for abilities that a model does not have, which fail their rows.

Sources: users' reports about both services, and Google's pages.
"""

from __future__ import annotations

from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, field, snake
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.model.errors import RowError
from airflow_provider_genai_batch.emulator.model.more import modalities
from airflow_provider_genai_batch.emulator.model.tools import names_of

_MOST_CANDIDATES = 8
_NAMES = ("candidateCount", "responseModalities", "responseLogprobs", "imageConfig")
_OPTIONS = frozenset({*_NAMES, *map(snake, _NAMES)})
_ANSWERS = {"TEXT": "text", "IMAGE": "image", "AUDIO": "audio"}


def check_abilities(request: JsonObject, model: str, backend: str) -> None:
    """Refuse a request for something that the model cannot do.

    Args:
        request: A GenerateContentRequest.
        model: The resource name of the model.
        backend: ``gemini`` or ``vertex``.

    Raises:
        RowError: With code 3.
    """
    config = field(request, "generationConfig") or {}
    if not names.shows(model) and _OPTIONS.isdisjoint(config):
        return
    draws, speaks, model_id = names.draws(model), names.speaks(model), names.last_part(model)
    _check_candidates(config, model_id, draws=draws)
    _check_modalities(modalities(config, model_id), model_id, draws=draws, speaks=speaks)
    _check_logprobs(config, model_id, backend)
    size = field(field(config, "imageConfig") or {}, "imageSize")
    if backend == "vertex" and size not in {None, "", "1K"}:
        # Google's page on batch: only images of 1K. The service reads a request only when it processes the row.
        message = f"image_size {size} is not supported in batch prediction; only 1K is."
        raise RowError(3, message)
    if draws and "functionDeclarations" in names_of(request):
        # Source: the model card of Gemini 3.1 Flash Image.
        raise RowError(3, "Function calling is not enabled for this model.")


def _check_candidates(config: JsonObject, model: str, *, draws: bool) -> None:
    count = int(field(config, "candidateCount") or 1)
    if count > 1 and (draws or model.startswith("gemini-3")):
        raise RowError(3, "Multiple candidates is not enabled for this model")
    if not 1 <= count <= _MOST_CANDIDATES:
        message = f"candidate_count must be between 1 and {_MOST_CANDIDATES}, not {count}."
        raise RowError(3, message)


def _check_modalities(wanted: list[str], model: str, *, draws: bool, speaks: bool) -> None:
    able = {"AUDIO"} if speaks else {"TEXT", "IMAGE"} if draws else {"TEXT"}
    if not set(wanted) <= able:
        named = ",".join(_ANSWERS.get(one, one.lower()) for one in wanted)
        message = f"Model {model} does not support the requested response modalities: {named}"
        raise RowError(3, message)


def _check_logprobs(config: JsonObject, model: str, backend: str) -> None:
    if not field(config, "responseLogprobs"):
        return
    without = ("gemini-3.5-flash", "gemini-2.5-pro") if backend == "gemini" else ("gemini-3.5-flash",)
    if model.startswith(without):
        raise RowError(3, "Logprobs is not enabled for this model")
