"""Runs of an agent of pydantic-ai whose model calls go through its batches."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

sys.path.pop(0)

from pydantic_ai import Agent
from pydantic_ai.capabilities import BatchModelRequests

PROMPTS = [f"say {number}" for number in range(3)]


async def main() -> None:
    second = timedelta(seconds=1)
    batching = BatchModelRequests(
        max_requests=3, max_wait=second, poll_interval=second, max_poll_interval=second
    )
    agent = Agent("google:gemini-2.5-flash", capabilities=[batching])
    async with batching:
        results = await asyncio.gather(*(agent.run(prompt) for prompt in PROMPTS))
    right = sum(
        result.output == f"Answer to: {prompt}" for result, prompt in zip(results, PROMPTS, strict=True)
    )
    print(f"right: {right} of {len(PROMPTS)}")


asyncio.run(main())
