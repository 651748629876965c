"""Asks rows with Google's SDK as its users do, a semaphore around each call; prints what it cost.

Runs in that package's environment. Arguments: address, rows, calls at a time, target.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from data import answers
from google import genai
from google.genai import types
from meter import measured
from stall import watched

_MODEL = "gemini-2.5-flash"
_WARM_UP = 200


def main(address: str, rows: int, calls: int, target: str) -> dict[str, float]:
    """Ask a few rows, so that all code is there, and then all."""
    seen: dict[str, float] = {}

    async def ask(number: int) -> None:
        options = types.HttpOptions(base_url=address, retry_options=types.HttpRetryOptions())
        api = genai.Client(api_key="benchmark", http_options=options).aio
        free, failed = asyncio.Semaphore(calls), 0

        async def one(index: int, text: str) -> None:
            nonlocal failed
            async with free:
                try:
                    answer = await api.models.generate_content(model=_MODEL, contents=text)
                except genai.errors.APIError:
                    failed += 1
                    return
            said = answer.model_dump(mode="json", exclude_none=True)
            file.write(json.dumps({"key": f"r{index:08d}", "response": said}) + "\n")

        async with watched() as stall:
            await asyncio.gather(*(one(index, text) for index, text in enumerate(answers("plain", number))))
        await api.aclose()
        seen.update(stall_ms=stall.seconds * 1e3, turn_ms=stall.cpu_seconds * 1e3, failed=failed)

    with Path(target).open("w") as file:
        asyncio.run(ask(_WARM_UP))
    with Path(target).open("w") as file:
        figures = measured(lambda: asyncio.run(ask(rows)), rows)
    return {**figures, **seen}


if __name__ == "__main__":
    _, one, two, three, four = sys.argv
    print(json.dumps(main(one, int(two), int(three), four)))  # noqa: T201 - it is read
