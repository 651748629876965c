"""Every online call of Google's SDK that this package uses, made against an emulator; prints what came back as JSON.

Runs in an environment that holds google-genai and not this package:
``python sdk_online.py gemini|vertex sync|async '{"url": ...}'``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from google import genai
from google.oauth2.credentials import Credentials
from sdk_calls import Caller

FLEX = {"X-Vertex-AI-LLM-Request-Type": "shared", "X-Vertex-AI-LLM-Shared-Request-Type": "flex"}


async def gemini(url: str, *, is_async: bool) -> dict[str, Any]:
    call = Caller(genai.Client(api_key="any", http_options={"base_url": url}), is_async=is_async)
    models, found = call.api.models, dict[str, Any]()
    model = "gemini-2.5-flash"
    config = {"service_tier": "flex", "http_options": {"timeout": 900_000}}
    answer = await call(models.generate_content, model=model, contents="hi", config=config)
    headers = {name.lower(): value for name, value in answer.sdk_http_response.headers.items()}
    found["flex"] = [answer.text, headers["x-gemini-service-tier"], answer.usage_metadata.prompt_token_count]
    answer = await call(models.generate_content, model=model, contents="ho")
    headers = {name.lower(): value for name, value in answer.sdk_http_response.headers.items()}
    found["standard"] = [answer.text, headers["x-gemini-service-tier"]]
    embed, size = models.embed_content, {"output_dimensionality": 4}
    answer = await call(embed, model="gemini-embedding-001", contents=["one", "two"], config=size)
    found["embeddings"] = [len(one.values) for one in answer.embeddings]
    found["tokens"] = (await call(models.count_tokens, model=model, contents="x" * 40)).total_tokens
    found["shed"] = await call.refused(models.generate_content, model=model, contents="shed")
    found["minute"] = await call.refused(models.generate_content, model=model, contents="quota")
    return found


async def vertex(url: str, *, is_async: bool) -> dict[str, Any]:
    client = genai.Client(
        vertexai=True,
        project="emulator-project",
        location="global",
        credentials=Credentials(token="t"),
        http_options={"base_url": url},
    )
    call = Caller(client, is_async=is_async)
    models, found = call.api.models, dict[str, Any]()
    model = "gemini-3.5-flash"
    for name, headers in (("flex", FLEX), ("standard", {})):
        config = {"http_options": {"headers": headers}}
        answer = await call(models.generate_content, model=model, contents="hi", config=config)
        found[name] = [answer.text, answer.usage_metadata.traffic_type.name]
    found["tokens"] = (await call(models.count_tokens, model=model, contents="x" * 40)).total_tokens
    return found


def main() -> None:
    backend, way, raw = sys.argv[1:]
    run = vertex if backend == "vertex" else gemini
    print(json.dumps(asyncio.run(run(json.loads(raw)["url"], is_async=way == "async"))))  # noqa: T201 - its reply


if __name__ == "__main__":
    main()
