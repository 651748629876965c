"""Rows of partners' models: the envelope of an answer in files and in exported tables.

Source: clients that read rows of live jobs: EasyLLM/langbatch (BigQuery, 2025-02), BerriAI/litellm, Portkey-AI/gateway,
crmne/ruby_llm (only its tests). Google's pages show no row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_genai_batch.wire.values import integer, mapping

_REFUSED = 400
OF_PARTNERS = frozenset(
    (
        *("custom_id", "customId", "requestId", "request", "method", "url", "body", "instance"),
        *("id", "response", "status", "error", "processed_time", "processedTime"),
    )
)
"""Members that the service writes into a row of a partner's model; all others come from the input."""


def is_partners(line: Mapping[str, Any]) -> bool:
    """Whether a row is from a partner's model; a row of Google's models has a request with contents."""
    if "key" in line or line.keys().isdisjoint(("custom_id", "customId", "requestId", "body", "instance")):
        return False
    request = line.get("request")
    if isinstance(request, str):
        return '"contents"' not in request
    return "contents" not in mapping(request) and "predictions" not in line


def unwrapped(response: Any) -> Any:
    """Return a response as an object if it is JSON text, as in BigQuery, or in an envelope ``{status_code, body}``.

    The envelope of an error stays; `envelope_error` reads it.
    """
    if type(response) is str:
        try:
            response = json.loads(response)
        except (ValueError, RecursionError):
            return {}
    if type(response) is dict and "status_code" in response:
        code = integer(response["status_code"])
        if code is not None and code < _REFUSED:
            return unwrapped(response.get("body"))
    return response


def envelope_error(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return the error in an envelope, with its HTTP status as the code."""
    body = unwrapped(response.get("body"))
    error = mapping(mapping(body).get("error")) or mapping(body)
    return {**error, "code": integer(error.get("code")) or integer(response.get("status_code"))}
