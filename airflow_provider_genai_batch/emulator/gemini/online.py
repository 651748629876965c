"""The immediate calls of the Gemini API: generateContent, embeddings, countTokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from starlette.responses import Response

from airflow_provider_genai_batch.emulator import online
from airflow_provider_genai_batch.emulator.calls.call import Call
from airflow_provider_genai_batch.emulator.capacity import TIERS
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.gemini.answers import shaped
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, field, known_only
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.model.refused.limits import check_embed, check_generate

_FLEX = re.compile(
    r"gemini-(3\.[5678]-flash|3\.[15]-flash-lite|3\.1-pro-preview|3-flash-preview|2\.5-(pro|flash|flash-lite))"
)
"""The models with the tier flex. Source: Google's page on flex inference, after September 2026."""
_MOST_TEXTS = 100
_TIER_HEADER = "x-gemini-service-tier"


async def generate(call: Call) -> Response:
    """Answer a prompt in the tier that its body names."""
    body = await online.body_of(call)
    model = _model(call, "generateContent", embeds=False)
    tier = _tier(body, model)
    online.checked("gemini", "GenerateContentRequest", body)
    model_name = f"models/{model}"

    def answer() -> JsonObject:
        check_generate(body, "gemini", model_name)
        return call.world.responder.generate(body, model_name, shaped)

    try:
        with online.admitted(call, "gemini", model, tier, online.asked_tokens(body)):
            response = await online.answered(call, answer)
    except ApiError as refused:
        refused.headers.setdefault(_TIER_HEADER, tier)
        raise
    if "usageMetadata" in response:
        response = {**response, "usageMetadata": {**response["usageMetadata"], "serviceTier": tier}}
    online.served(call, response)
    reply = call.reply(response)
    reply.headers[_TIER_HEADER] = tier
    return reply


async def embed(call: Call) -> Response:
    """Answer one embedding."""
    body = await online.body_of(call)
    model = _model(call, "embedContent", embeds=True)
    online.checked("gemini", "EmbedContentRequest", body)
    with online.admitted(call, "gemini", model, "standard", online.asked_tokens(body)):
        return call.reply(_without_count(await online.answered(call, _embedding(call, body, model))))


async def embed_many(call: Call) -> Response:
    """Answer embeddings in the order of their requests, each of which repeats the model."""
    body = known_only(await online.body_of(call), {"requests"}, "")
    model = _model(call, "batchEmbedContents", embeds=True)
    requests = body.get("requests")
    requests = requests if isinstance(requests, list) else []
    if not 1 <= len(requests) <= _MOST_TEXTS:
        message = (
            f"* BatchEmbedContentsRequest.requests: at most {_MOST_TEXTS} requests can be in one batch"
            if requests
            else "* BatchEmbedContentsRequest.requests: requests is required."
        )
        raise ApiError(400, message)
    for at, one in enumerate(requests):
        online.checked("gemini", "EmbedContentRequest", one, f"requests[{at}]")
        if one.get("model") != f"models/{model}":
            message = f"* BatchEmbedContentsRequest.requests[{at}].model: must match the model of the batch."
            raise ApiError(400, message)
    found = []
    with online.admitted(call, "gemini", model, "standard", sum(map(online.asked_tokens, requests))):
        for one in requests:
            response = await online.answered(call, _embedding(call, one, model))
            found.append(response["embedding"])
    return call.reply({"embeddings": found})


async def count(call: Call) -> Response:
    """Count the tokens of contents, or of a whole request, but not of both."""
    body = known_only(await online.body_of(call), {"contents", "generateContentRequest"}, "")
    model = _model(call, "countTokens", embeds=None)
    if ("contents" in body) == ("generateContentRequest" in body):
        raise ApiError(400, "* CountTokensRequest: set contents or generate_content_request, not both.")
    whole = body.get("generateContentRequest")
    if whole is not None:
        request = dict(whole) if isinstance(whole, dict) else whole
        named = request.pop("model", None) if isinstance(request, dict) else None
        if named != f"models/{model}":
            raise ApiError(400, "* CountTokensRequest.generate_content_request.model: must match the URL.")
        online.checked("gemini", "GenerateContentRequest", request, "generate_content_request")
    else:
        request = body
        online.checked("gemini", "GenerateContentRequest", request)
    total = online.asked_tokens(request)
    details = [{"modality": "TEXT", "tokenCount": total}]
    return call.reply({"totalTokens": total, "promptTokensDetails": details} if total else {})


def _embedding(call: Call, request: JsonObject, model: str) -> Callable[[], JsonObject]:
    check = partial(check_embed, request)
    embed = partial(call.world.responder.embed, request, f"models/{model}")
    return lambda: (check(), embed())[1]


def _without_count(response: JsonObject) -> JsonObject:
    return {name: value for name, value in response.items() if name != "tokenCount"}


def _tier(body: JsonObject, model: str) -> str:
    """Return the tier that a body requests.

    Raises:
        ApiError: 400 for an unknown tier, and for flex if the model does not have it.
    """
    tier = field(body, "serviceTier") or "standard"
    if tier not in TIERS:
        message = f"Invalid value at 'service_tier' (type.googleapis.com/ServiceTier), \"{tier}\""
        raise ApiError(400, message)
    if tier == "flex" and _FLEX.fullmatch(model) is None:
        message = f"The service tier flex is not supported for model {model}."
        raise ApiError(400, message)
    return str(tier)


def _model(call: Call, method: str, *, embeds: bool | None) -> str:
    model: str = call.param("model")
    if not names.exists(model) or (embeds is not None and names.embeds(model) != embeds):
        message = (
            f"models/{model} is not found for API version {call.param('version')}, or is not supported for "
            f"{method}. Call ListModels to see the list of available models and their supported methods."
        )
        raise ApiError(404, message)
    return model
