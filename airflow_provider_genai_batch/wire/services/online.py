"""Immediate calls: ``generateContent`` and ``countTokens`` of both services, embeddings of the Gemini API.

Sources: "Flex inference" and "Flex PayGo" (2026); what Google's google-genai SDK sends. The tier is a field of the body
on the Gemini API. On Vertex AI it is a header; that service refuses or ignores such a field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_genai_batch.exceptions import UnreadableAnswer
from airflow_provider_genai_batch.models.tier import Tier
from airflow_provider_genai_batch.wire.services import gemini, vertex
from airflow_provider_genai_batch.wire.services.http import HttpAnswer, HttpRequest, json_body, read_object
from airflow_provider_genai_batch.wire.spelling import camel
from airflow_provider_genai_batch.wire.values import get, listing, mapping

MAX_BODY_BYTES = gemini.MAX_BODY_BYTES
"""Limit of one call, on both services."""
MAX_EMBEDDINGS = 100
"""The most embeddings of one call."""
MIN_TIMEOUT = 10
"""Seconds; the Gemini API refuses less."""
_JSON = ("Content-Type", "application/json")
_TIER_NAMES = ("serviceTier", "service_tier")
_SHARED = ("X-Vertex-AI-LLM-Request-Type", "shared")
_VERTEX_FLEX = ("X-Vertex-AI-LLM-Shared-Request-Type", "flex")
_COUNTED = frozenset({"contents", "systemInstruction", "tools", "generationConfig"})
"""The fields of a request that Vertex AI accepts for counting."""
_TRAFFIC = {"ON_DEMAND_FLEX": Tier.FLEX, "ON_DEMAND": Tier.STANDARD}


def generate_on_gemini(
    root: str, model: str, request: Mapping[str, Any], tier: Tier, timeout: int
) -> HttpRequest:
    """Return a call for one answer.

    Args:
        root: base URL and version.
        model: the model's name.
        request: a GenerateContentRequest in the form of a batch line; its own tier is removed.
        tier: the tier to use.
        timeout: seconds that the service may take.
    """
    body = {**_without_tier(request), "serviceTier": tier.value}
    return _post(f"{root}/{gemini.model_path(model)}:generateContent", body, timeout)


def generate_on_vertex(
    parent: str, model: str, request: Mapping[str, Any], tier: Tier, timeout: int
) -> HttpRequest:
    """Return a call for one answer; `parent` is base URL, version, project and location."""
    headers = (_SHARED, _VERTEX_FLEX) if tier is Tier.FLEX else (_SHARED,)
    url = f"{parent}/{vertex.model_path(model)}:generateContent"
    return _post(url, _without_tier(request), timeout, headers)


def embed_on_gemini(
    root: str, model: str, requests: Sequence[Mapping[str, Any]], timeout: int
) -> HttpRequest:
    """Return a call for at most `MAX_EMBEDDINGS` embeddings; each request repeats the model."""
    path = gemini.model_path(model)
    body = {"requests": [{**request, "model": path} for request in requests]}
    return _post(f"{root}/{path}:batchEmbedContents", body, timeout)


def count_on_gemini(root: str, model: str, request: Mapping[str, Any]) -> HttpRequest:
    """Return a call that counts a request's tokens, which is not billed. It includes the fields beside the contents."""
    path = gemini.model_path(model)
    if "contents" in request:
        body: dict[str, Any] = {"generateContentRequest": {**_without_tier(request), "model": path}}
    else:  # an embedding request
        body = {"contents": [request.get("content", {})]}
    return HttpRequest("POST", f"{root}/{path}:countTokens", headers=(_JSON,), body=json_body(body))


def count_on_vertex(parent: str, model: str, request: Mapping[str, Any]) -> HttpRequest:
    """Return a call that counts a request's tokens; `parent` is base URL, version, project and location."""
    body = {name: value for spelled, value in request.items() if (name := camel(spelled)) in _COUNTED}
    url = f"{parent}/{vertex.model_path(model)}:countTokens"
    return HttpRequest("POST", url, headers=(_JSON,), body=json_body(body))


def read_count(answer: HttpAnswer) -> int:
    """Read the number of tokens; an absent field means zero.

    Raises:
        UnreadableAnswer: it is not a number.
    """
    count = read_object(answer).get("totalTokens", 0)
    if type(count) is not int:
        msg = f"status {answer.status} with a count of tokens that is none"
        raise UnreadableAnswer(msg)
    return count


def read_response(answer: HttpAnswer) -> dict[str, Any]:
    """Read a GenerateContentResponse.

    Raises:
        UnreadableAnswer: it is empty or not a JSON object.
    """
    response = read_object(answer)
    if not response:
        msg = f"status {answer.status} with an empty answer"
        raise UnreadableAnswer(msg)
    return response


def read_embeddings(answer: HttpAnswer) -> list[dict[str, Any]]:
    """Read one EmbedContentResponse for each request, in their order."""
    return [{"embedding": mapping(one)} for one in listing(read_object(answer).get("embeddings"))]


def served_tier(response: Mapping[str, Any]) -> Tier | None:
    """Return the tier that served the call; None if the answer does not say, or names another tier."""
    usage = mapping(get(response, "usageMetadata"))
    served = usage.get("serviceTier")
    if isinstance(served, str):
        return Tier(served) if served in set(Tier) else None
    return _TRAFFIC.get(str(usage.get("trafficType")))


def input_tokens(response: Mapping[str, Any]) -> int | None:
    """Return the number of a prompt's tokens; None if the answer does not say."""
    count = mapping(get(response, "usageMetadata")).get("promptTokenCount")
    return count if type(count) is int else None


def _without_tier(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in _TIER_NAMES}


def _post(
    url: str, body: Mapping[str, Any], timeout: int, headers: tuple[tuple[str, str], ...] = ()
) -> HttpRequest:
    hint = ("X-Server-Timeout", str(max(MIN_TIMEOUT, timeout)))
    # The service ends the call at the hint, if it respects it; the transport waits a little longer.
    return HttpRequest(
        "POST", url, headers=(_JSON, hint, *headers), body=json_body(body), read_timeout=timeout + 30.0
    )
