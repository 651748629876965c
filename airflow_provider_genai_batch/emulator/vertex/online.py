"""The immediate calls of Vertex AI: generateContent and countTokens of Google's models."""

from __future__ import annotations

import re
from functools import partial

from starlette.responses import Response

from airflow_provider_genai_batch.emulator import online
from airflow_provider_genai_batch.emulator.calls.call import Call
from airflow_provider_genai_batch.emulator.errors import ApiError
from airflow_provider_genai_batch.emulator.jsontypes import JsonObject, field, known_only, words
from airflow_provider_genai_batch.emulator.model import names
from airflow_provider_genai_batch.emulator.model.refused.limits import check_generate
from airflow_provider_genai_batch.emulator.vertex.models import check_model
from airflow_provider_genai_batch.emulator.vertex.rows.answers import shaped

_FLEX = re.compile(r"gemini-(3\.[5678]-flash|3\.[15]-flash-lite|3\.1-pro-preview|3-flash-preview)")
"""Source: Google's page on Flex PayGo, which has no 2.5 model; 3.6 to 3.8 are only in a price list."""
_TRAFFIC = {"flex": "ON_DEMAND_FLEX", "priority": "ON_DEMAND_PRIORITY", "standard": "ON_DEMAND"}
_COUNTED = words("model contents systemInstruction tools generationConfig labels")


async def generate(call: Call) -> Response:
    """Answer a prompt in the tier that the headers name."""
    body = await online.body_of(call)
    model = _model(call, embeds=False)
    tier = _tier(call, model)
    body = _without_tier(call, body)
    online.checked("vertex", "GenerateContentRequest", body)
    name = f"publishers/google/models/{model}"
    shape = partial(shaped, at_ns=call.world.clock.now_ns())

    def answer() -> JsonObject:
        check_generate(body, "vertex", name)
        return call.world.responder.generate(body, name, shape)

    with online.admitted(call, "vertex", model, tier, online.asked_tokens(body)):
        response = await online.answered(call, answer)
    if "usageMetadata" in response:
        traffic = {"trafficType": _TRAFFIC[tier]}
        response = {**response, "usageMetadata": {**response["usageMetadata"], **traffic}}
    online.served(call, response)
    return call.reply(response)


async def count(call: Call) -> Response:
    """Count tokens and characters."""
    body = known_only(await online.body_of(call), _COUNTED, "")
    _model(call, embeds=None)
    request = {key: value for key, value in body.items() if key != "model"}
    online.checked("vertex", "GenerateContentRequest", request)
    if not request.get("contents"):
        raise ApiError(400, "* CountTokensRequest.contents: contents is required.")
    total = online.asked_tokens(request)
    return call.reply(
        {
            "totalTokens": total,
            "totalBillableCharacters": sum(not one.isspace() for one in online.asked_text(request)),
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}],
        }
    )


def _tier(call: Call, model: str) -> str:
    """Return the tier that serves a call. A region has only one tier, whatever the headers request.

    Raises:
        ApiError: 400 for flex if the model does not have it, 429 for throughput that was not bought.
    """
    headers = call.request.headers
    if headers.get("x-vertex-ai-llm-request-type") == "dedicated":
        raise ApiError(429, "Provisioned throughput is exhausted.")
    tier = headers.get("x-vertex-ai-llm-shared-request-type", "standard").lower()
    if call.param("location") != "global" or tier not in _TRAFFIC:
        return "standard"
    if tier == "flex" and _FLEX.fullmatch(model) is None:
        message = f"Flex is not supported for model {model}."
        raise ApiError(400, message)
    return tier


def _without_tier(call: Call, body: JsonObject) -> JsonObject:
    """Return a body without a tier.

    Raises:
        ApiError: 400, because the reference has no such field; a test can make the emulator ignore it.
    """
    if field(body, "serviceTier") is None:
        return body
    if not call.world.capacity.tier_on_vertex:
        raise ApiError(400, 'Invalid JSON payload received. Unknown name "serviceTier": Cannot find field.')
    return {name: value for name, value in body.items() if name not in {"serviceTier", "service_tier"}}


def _model(call: Call, *, embeds: bool | None) -> str:
    model: str = call.param("model")
    name = f"publishers/google/models/{model}"
    check_model(name, call.param("location"), call.world.switches)
    if embeds is not None and names.embeds(model) != embeds:
        message = f"{name} is not supported in the generateContent API."
        raise ApiError(400, message)
    return model
