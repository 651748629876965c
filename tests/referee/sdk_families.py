"""Jobs of partner, open and picture models through Google's SDK, and its reading of answers that are not one text.

Runs in an environment that holds google-genai and not this package: ``python sdk_families.py '{"vertex": ..., ...}'``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from google import genai
from google.genai import types
from google.oauth2 import service_account

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LIVE_ONLY = {"score", "billablePromptUsage", "serviceTier"}
"""Members that captures of the live services have and the SDK's types lack."""


def to_the_end(client: Any, job: Any) -> Any:
    for _ in range(20):
        if job.done:
            return job
        job = client.batches.get(name=job.name)
    message = f"{job.name} is still {job.state}"
    raise AssertionError(message)


def without_live_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_live_only(inner) for name, inner in value.items() if name not in LIVE_ONLY}
    return [without_live_only(inner) for inner in value] if isinstance(value, list) else value


def read(response: dict[str, Any]) -> list[str]:
    """Read a response with types that refuse unknown members; return the kinds of its parts."""
    found = types.GenerateContentResponse.model_validate(without_live_only(response))
    kinds = []
    for part in found.candidates[0].content.parts:
        kinds += [
            name
            for name in part.model_dump(exclude_none=True)
            if name not in {"thought", "thought_signature"}
        ]
    return kinds


def vertex(given: dict[str, Any]) -> dict[str, Any]:
    account = service_account.Credentials.from_service_account_info(given["account"], scopes=[SCOPE])
    client = genai.Client(
        vertexai=True,
        project="emulator-project",
        location="us-east5",
        credentials=account,
        http_options={"base_url": given["url"]},
    )
    found = {}
    for name, (model, src, dest) in given["jobs"].items():
        job = to_the_end(client, client.batches.create(model=model, src=src, config={"dest": dest}))
        found[name] = [job.state.name, job.model, job.completion_stats.successful_count]
    return found


def gemini(given: dict[str, Any]) -> dict[str, Any]:
    client = genai.Client(api_key="any", http_options={"base_url": given["url"]})
    found = {}
    for name, (model, request) in given["inline"].items():
        job = to_the_end(client, client.batches.create(model=model, src=[request]))
        parts = job.dest.inlined_responses[0].response.candidates[0].content.parts
        found[name] = [
            part.inline_data.mime_type if part.inline_data else "text" if part.text else "call"
            for part in parts
        ]
    return found


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    answer = {
        "vertex": vertex(asked["vertex"]),
        "gemini": gemini(asked["gemini"]),
        "read": [read(response) for response in asked["responses"]],
    }
    print(json.dumps(answer))  # noqa: T201 - its reply to the test
