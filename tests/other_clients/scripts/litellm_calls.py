"""What both scripts of litellm do: a file in OpenAI's shape, a batch of it, its results."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

PROMPTS = [f"say {number}" for number in range(3)]


def run(provider: str, **more: Any) -> None:
    """Ask three rows."""
    import litellm

    path = Path(os.environ["HOME"]) / "in.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {
                    "custom_id": f"row-{number}",
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": {
                        "model": "gemini-2.5-flash",
                        "messages": [{"role": "user", "content": prompt}],
                    },
                }
            )
            + "\n"
            for number, prompt in enumerate(PROMPTS)
        )
    )
    with path.open("rb") as source:
        file = litellm.create_file(file=source, purpose="batch", custom_llm_provider=provider, **more)
    batch = litellm.create_batch(
        completion_window="24h",
        endpoint="/v1/chat/completions",
        input_file_id=file.id,
        custom_llm_provider=provider,
        **more,
    )
    for _ in range(30):
        if batch.status in {"completed", "failed", "cancelled", "expired"}:
            break
        time.sleep(1)
        batch = litellm.retrieve_batch(batch_id=batch.id, custom_llm_provider=provider, **more)
    if batch.status != "completed":
        raise SystemExit(f"the batch is {batch.status}: {batch.errors}")
    content = litellm.file_content(file_id=batch.output_file_id, custom_llm_provider=provider, **more)
    text = content.content.decode() if isinstance(content.content, bytes) else str(content.content)
    right = sum(f"Answer to: {prompt}" in text for prompt in PROMPTS)
    print(f"right: {right} of {len(PROMPTS)}")
