"""The token endpoint, and the endpoint by which one service account impersonates another."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs

from starlette.responses import Response

from airflow_provider_genai_batch.emulator.calls.call import Call, json_response
from airflow_provider_genai_batch.emulator.errors import ApiError

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LARGEST = 1 << 16


async def token(call: Call) -> Response:
    """Exchange a signed assertion for an access token. Errors have OAuth's form, not Google's."""
    form = parse_qs((await call.body(_LARGEST)).decode("latin-1"))
    if form.get("grant_type") != [_GRANT] or "assertion" not in form:
        return json_response(
            {"error": "unsupported_grant_type", "error_description": "Invalid grant_type."}, 400
        )
    try:
        return json_response(call.tokens.exchange(form["assertion"][0]))
    except ApiError as refused:
        return json_response({"error": "invalid_grant", "error_description": refused.message}, 400)


async def generate_access_token(call: Call) -> Response:
    """Return a token of another service account (IAM Credentials API)."""
    call.query()
    body = await call.json({"scope", "lifetime", "delegates"}, _LARGEST, "")
    scopes = body.get("scope") or []
    ttl = call.world.settings.token_ttl
    expires = call.world.clock.now() + timedelta(seconds=ttl)
    if not scopes:
        raise ApiError(400, "scope is required.")
    text = f"{expires:%Y-%m-%dT%H:%M:%SZ}"
    return json_response({"accessToken": call.tokens.issue(" ".join(scopes)), "expireTime": text})
